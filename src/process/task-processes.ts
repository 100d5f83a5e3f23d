import type { Identity, Proc } from "./proc.ts";
import { readInput, readOpen } from "./proc.ts";
import type { Snapshot } from "./scan.ts";

/** What is needed to tell a task's processes from all others. */
export interface TaskProcesses {
  marker: string;
  wrapper: Identity;
  /** Leader of the task's own session and group, once known. */
  leader(): Identity | undefined;
  /** Every process ever seen as the task's, pid → start: an orphan's parent becomes 1, its identity stays. */
  noted: Map<number, number>;
}

/**
 * The living processes of a task: its session, its group, whoever carries the marker, whoever was seen before, and
 * the descendants of all these. Never the wrapper's shells nor the pumps, which live in the wrapper's session.
 * Notes what it finds.
 */
export function processesOf(snapshot: Snapshot, family: TaskProcesses): Proc[] {
  const isShell = inWrapperSession(snapshot, family);
  const candidates = [...snapshot.procs.values()].filter(
    (proc) => !proc.dead && proc.pid !== process.pid && proc.start >= family.wrapper.start && !isShell(proc),
  );
  const isSeed = seedOf(snapshot, family, isShell);
  const processes = new Map<number, Proc>();
  for (const proc of candidates) if (isSeed(proc)) processes.set(proc.pid, proc);
  for (let before = -1; before !== processes.size; ) {
    before = processes.size;
    for (const proc of candidates) if (processes.has(proc.ppid)) processes.set(proc.pid, proc);
  }
  for (const { pid, start } of processes.values()) family.noted.set(pid, start);
  return [...processes.values()];
}

/**
 * Whether a process may be the task's and could not be recognized at that moment: an orphan with a session of its own that is
 * just executing its program. Those below this server belong to other tasks.
 */
export function hasUnrecognized(snapshot: Snapshot, family: TaskProcesses): boolean {
  const isShell = inWrapperSession(snapshot, family);
  for (const proc of snapshot.procs.values()) {
    const isCandidate = !proc.dead && !proc.kernel && proc.start >= family.wrapper.start && !isShell(proc);
    if (!isCandidate || proc.pid === process.pid || !snapshot.isUnrecognizable(proc)) continue;
    if (!isBelow(snapshot, proc, process.pid)) return true;
  }
  return false;
}

function isBelow(snapshot: Snapshot, proc: Proc, ancestor: number): boolean {
  for (
    let at: Proc | undefined = proc, depth = 0;
    at && depth < 64;
    at = snapshot.procs.get(at.ppid), depth++
  ) {
    if (at.ppid === ancestor) return true;
  }
  return false;
}

/** The wrapper, its shells and the pumps, as far as they live: the ones that record and drain. */
export function supervisorsOf(snapshot: Snapshot, family: TaskProcesses): Proc[] {
  const isShell = inWrapperSession(snapshot, family);
  return [...snapshot.procs.values()].filter((proc) => {
    return isShell(proc) && !proc.dead && (markerOf(snapshot, proc) ?? family.marker) === family.marker;
  });
}

export function pumpsOf(snapshot: Snapshot, family: TaskProcesses): Proc[] {
  return supervisorsOf(snapshot, family).filter((proc) => snapshot.pumpMarker(proc) === family.marker);
}

/**
 * Whoever holds a pipe from which a pump reads: the last resort for a process that left the session and wiped its
 * environment (ssh's ControlPersist master does both). `foreign` ones carry another task's marker or are older than
 * the task: they were handed the pipe. Reads every
 * process's descriptors, some 100 µs each.
 */
export function holdersOf(snapshot: Snapshot, family: TaskProcesses): { own: Proc[]; foreign: Proc[] } {
  // Only what the pump reads: other descriptors may come from whoever started the server.
  const pipes = new Set(pumpsOf(snapshot, family).map((pump) => readInput(pump.pid)));
  pipes.delete(undefined);
  const isShell = inWrapperSession(snapshot, family);
  const own: Proc[] = [];
  const foreign: Proc[] = [];
  for (const proc of pipes.size ? snapshot.procs.values() : []) {
    if (proc.dead || isShell(proc) || proc.pid === process.pid) continue;
    if (!readOpen(proc.pid).some((link) => pipes.has(link))) continue;
    const marker = markerOf(snapshot, proc);
    const mayBeOwn = proc.start >= family.wrapper.start && (marker === undefined || marker === family.marker);
    (mayBeOwn ? own : foreign).push(proc);
  }
  return { own, foreign };
}

function markerOf(snapshot: Snapshot, proc: Proc): string | undefined {
  return snapshot.taskMarker(proc) ?? snapshot.pumpMarker(proc);
}

// The kernel hands out no pid that still names a session, so a stranger with the wrapper's pid means the session is over.
function inWrapperSession(snapshot: Snapshot, { wrapper }: TaskProcesses): (proc: Proc) => boolean {
  return isReused(snapshot, wrapper) ? () => false : (proc) => proc.sid === wrapper.pid;
}

function isReused(snapshot: Snapshot, who: Identity): boolean {
  const proc = snapshot.procs.get(who.pid);
  return proc !== undefined && proc.start !== who.start;
}

function seedOf(snapshot: Snapshot, family: TaskProcesses, isShell: (proc: Proc) => boolean) {
  const leader = family.leader();
  const session = leader && !isReused(snapshot, leader) ? leader.pid : undefined;
  return (proc: Proc): boolean => {
    if (session !== undefined && (proc.sid === session || proc.pgid === session)) return true;
    if (family.noted.get(proc.pid) === proc.start) return true;
    const parent = snapshot.procs.get(proc.ppid);
    if (parent && isShell(parent)) return true; // the leader before its record was read
    return snapshot.taskMarker(proc) === family.marker;
  };
}
