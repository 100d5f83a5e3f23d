import type { Namespace } from "./isolation/namespace.ts";
import type { Identity, Proc } from "./proc.ts";
import { readInput, readOpen } from "./proc.ts";
import type { Snapshot } from "./scan.ts";

/** Facts by which a task's processes are told from all others. */
export interface TaskProcesses {
  marker: string;
  wrapper: Identity;
  /** Leader of the session and process group in which the task's program runs; undefined until it is recorded. */
  leader(): Identity | undefined;
  /** The namespace in which all of its processes run; undefined: it runs without isolation. */
  namespace: Namespace | undefined;
  /**
   * Every process that was ever recognized as the task's, as pid → start: an orphan's parent becomes 1, its identity
   * stays.
   */
  noted: Map<number, number>;
}

/**
 * Returns the living processes of a task: those of its session and its process group, those that carry its marker or
 * were noted before, and the descendants of all these. Leaves out the wrapper's shells and the pumps, which live in
 * the wrapper's session. Notes the processes that it finds.
 */
export function processesOf(snapshot: Snapshot, task: TaskProcesses): Proc[] {
  const isShell = inWrapperSession(snapshot, task);
  const candidates = [...snapshot.procs.values()].filter(
    (proc) => !proc.dead && proc.pid !== process.pid && proc.start >= task.wrapper.start && !isShell(proc),
  );
  const isSeed = seedOf(snapshot, task, isShell);
  const processes = new Map<number, Proc>();
  for (const proc of candidates) if (isSeed(proc)) processes.set(proc.pid, proc);
  for (let before = -1; before !== processes.size; ) {
    before = processes.size;
    for (const proc of candidates) if (processes.has(proc.ppid)) processes.set(proc.pid, proc);
  }
  for (const { pid, start } of processes.values()) task.noted.set(pid, start);
  return [...processes.values()];
}

/**
 * Returns whether a process may belong to the task although it shows no environment at this moment: an orphan with a
 * separate session that is executing its program. Processes below this server belong to other tasks.
 */
export function hasUnrecognized(snapshot: Snapshot, task: TaskProcesses): boolean {
  const isShell = inWrapperSession(snapshot, task);
  for (const proc of snapshot.procs.values()) {
    const isCandidate = !proc.dead && !proc.kernel && proc.start >= task.wrapper.start && !isShell(proc);
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

/** Returns the living processes that record and drain: the wrapper, its shells and the pumps. */
export function supervisorsOf(snapshot: Snapshot, task: TaskProcesses): Proc[] {
  const isShell = inWrapperSession(snapshot, task);
  return [...snapshot.procs.values()].filter((proc) => {
    return isShell(proc) && !proc.dead && (markerOf(snapshot, proc) ?? task.marker) === task.marker;
  });
}

export function pumpsOf(snapshot: Snapshot, task: TaskProcesses): Proc[] {
  return supervisorsOf(snapshot, task).filter((proc) => snapshot.pumpMarker(proc) === task.marker);
}

/**
 * Returns the processes that hold a pipe from which a pump reads. Last resort for a process that left the session and
 * cleared its environment, as ssh's ControlPersist master does. `foreign` processes carry another task's marker or
 * are older than the task: they were handed the pipe. Reads the descriptors of every process, some 100 µs for each.
 */
export function holdersOf(snapshot: Snapshot, task: TaskProcesses): { own: Proc[]; foreign: Proc[] } {
  // Only pipes that a pump reads: other descriptors may be inherited from the program that started the server.
  const pipes = new Set(pumpsOf(snapshot, task).map((pump) => readInput(pump.pid)));
  pipes.delete(undefined);
  const isShell = inWrapperSession(snapshot, task);
  const own: Proc[] = [];
  const foreign: Proc[] = [];
  for (const proc of pipes.size ? snapshot.procs.values() : []) {
    if (proc.dead || isShell(proc) || proc.pid === process.pid) continue;
    if (!readOpen(proc.pid).some((link) => pipes.has(link))) continue;
    const marker = markerOf(snapshot, proc);
    const mayBeOwn = proc.start >= task.wrapper.start && (marker === undefined || marker === task.marker);
    (mayBeOwn ? own : foreign).push(proc);
  }
  return { own, foreign };
}

function markerOf(snapshot: Snapshot, proc: Proc): string | undefined {
  return snapshot.taskMarker(proc) ?? snapshot.pumpMarker(proc);
}

// The kernel hands out no pid that still names a session. Another process with the wrapper's pid means that the
// session is over.
function inWrapperSession(snapshot: Snapshot, { wrapper }: TaskProcesses): (proc: Proc) => boolean {
  return isReused(snapshot, wrapper) ? () => false : (proc) => proc.sid === wrapper.pid;
}

function isReused(snapshot: Snapshot, who: Identity): boolean {
  const proc = snapshot.procs.get(who.pid);
  return proc !== undefined && proc.start !== who.start;
}

function seedOf(snapshot: Snapshot, task: TaskProcesses, isShell: (proc: Proc) => boolean) {
  const leader = task.leader();
  const session = leader && !isReused(snapshot, leader) ? leader.pid : undefined;
  return (proc: Proc): boolean => {
    if (session !== undefined && (proc.sid === session || proc.pgid === session)) return true;
    if (task.noted.get(proc.pid) === proc.start) return true;
    const parent = snapshot.procs.get(proc.ppid);
    if (parent && isShell(parent)) return true; // the leader before its record was read
    return snapshot.taskMarker(proc) === task.marker;
  };
}
