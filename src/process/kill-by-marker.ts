import { setTimeout } from "node:timers/promises";
import { type Identity, send } from "./proc.ts";
import { type Snapshot, scan } from "./scan.ts";

// Rounds for somebody who is just executing his program and shows no environment.
const maxDoubts = 10;

/**
 * Kills everything that carries the marker, with its descendants: what a dead server left of a task's preparation,
 * and the task itself if it runs. Resolves when none is left, except those that we may not signal.
 */
export async function sweepMarked(marker: string): Promise<void> {
  const noted = new Map<number, number>();
  let doubts = maxDoubts;
  for (let pauseMs = 0; ; pauseMs = Math.min(pauseMs + 2, 50)) {
    const snapshot = await scan();
    const left = markedOf(snapshot, marker, noted);
    const struck = left.filter(({ pid }) => send(pid, "SIGKILL") !== "forbidden");
    if (struck.length === 0 && (--doubts < 0 || !hasUnrecognized(snapshot))) return;
    await setTimeout(pauseMs);
  }
}

function hasUnrecognized(snapshot: Snapshot): boolean {
  return [...snapshot.procs.values()].some(
    (proc) => !proc.dead && !proc.kernel && snapshot.isUnrecognizable(proc),
  );
}

/** Commands of a task carry its marker with one of their own behind it: `task/command`. */
function isWithin(carried: string | undefined, marker: string): boolean {
  return carried === marker || carried?.startsWith(`${marker}/`) === true;
}

function markedOf(snapshot: Snapshot, marker: string, noted: Map<number, number>): Identity[] {
  const procs = [...snapshot.procs.values()].filter((proc) => !proc.dead && proc.pid !== process.pid);
  const found = new Set<number>();
  for (const proc of procs) {
    const carried = snapshot.taskMarker(proc) ?? snapshot.pumpMarker(proc);
    if (isWithin(carried, marker) || noted.get(proc.pid) === proc.start) found.add(proc.pid);
  }
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const proc of procs) if (found.has(proc.ppid)) found.add(proc.pid);
  }
  const left = procs.filter(({ pid }) => found.has(pid));
  for (const { pid, start } of left) noted.set(pid, start);
  return left;
}
