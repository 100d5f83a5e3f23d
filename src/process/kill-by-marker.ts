import { setTimeout } from "node:timers/promises";
import { type Identity, send } from "./proc.ts";
import { type Snapshot, scan } from "./scan.ts";

// Maximum number of scans that are repeated because a process shows no environment, as it does during an exec.
const maxRepeats = 10;

/**
 * Kills every process that carries the marker, and its descendants: processes that an ended server left of a task's
 * preparation, and the task's program if it runs. Resolves when none is left, except processes that the server may
 * not signal.
 */
export async function sweepMarked(marker: string): Promise<void> {
  const noted = new Map<number, number>();
  let repeats = maxRepeats;
  for (let pauseMs = 0; ; pauseMs = Math.min(pauseMs + 2, 50)) {
    const snapshot = await scan();
    const left = markedOf(snapshot, marker, noted);
    const killed = left.filter(({ pid }) => send(pid, "SIGKILL") !== "forbidden");
    if (killed.length === 0 && (--repeats < 0 || !hasUnrecognized(snapshot))) return;
    await setTimeout(pauseMs);
  }
}

function hasUnrecognized(snapshot: Snapshot): boolean {
  return [...snapshot.procs.values()].some(
    (proc) => !proc.dead && !proc.kernel && snapshot.isUnrecognizable(proc),
  );
}

/** Returns whether a marker is the task's or lies below it: commands of a task carry `task/command`. */
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
