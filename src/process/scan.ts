import {
  hasNoVariables,
  type Identity,
  listPids,
  type Proc,
  pidMax,
  readForks,
  readProc,
  readVariables,
  type Variables,
} from "./proc.ts";

/** Variable that carries the marker in every process of a task, the wrapper's shells included. */
export const taskVariable = "SIGNALMAN_TASK";
/** Variable that carries the marker in the pumps, in place of the task's variable. */
export const pumpVariable = "SIGNALMAN_PUMP";

/** The processes of the machine at one moment. Each marker is read once, on demand. */
export interface Snapshot {
  procs: ReadonlyMap<number, Proc>;
  /** Processes were still ending in the last round of reading, so that a chain of forks may have been missed. */
  isBlurred: boolean;
  taskMarker(proc: Identity): string | undefined;
  pumpMarker(proc: Identity): string | undefined;
  /** Whether a process showed no environment although it has one, so that its marker must be read again. */
  isUnrecognizable(proc: Identity): boolean;
}

/** Lower bound for a scan: the pid of a process, and the count of forks since boot that was read before its start. */
export interface Birth {
  pid: number;
  forks: number;
}

/**
 * Reads /proc, once for all callers in the same tick, since a scan costs 10 µs per process. With `since`, reads only
 * processes that can be younger; older ones cannot belong to the task. Rejects when descriptors or memory run out.
 * The state of scans is module state on purpose, since a machine has one process table.
 */
export function scan(since?: Birth): Promise<Snapshot> {
  return takePart(since, 0);
}

/**
 * Debounced scan, for callers that can wait, since many short tasks end together: 20 ms after the last scan, at once
 * if that is past.
 */
export function scanTogether(since?: Birth): Promise<Snapshot> {
  return takePart(since, lastScan + TOGETHER_MS - performance.now());
}

const TOGETHER_MS = 20;
let lastScan = Number.NEGATIVE_INFINITY;
let pending: PendingScan | undefined;

function takePart(since: Birth | undefined, waitMs: number): Promise<Snapshot> {
  pending ??= createPending();
  pending.births.push(since);
  pending.within(waitMs);
  return pending.snapshot;
}

interface PendingScan {
  births: (Birth | undefined)[];
  snapshot: Promise<Snapshot>;
  /** Requests the scan within `ms` milliseconds; a request for now overrides those that can wait. */
  within(ms: number): void;
}

function createPending(): PendingScan {
  const births: (Birth | undefined)[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<Snapshot>();
  let timer: NodeJS.Timeout | undefined;
  let isNext = false;
  const run = () => {
    pending = undefined;
    lastScan = performance.now();
    try {
      resolve(scanNow(births));
    } catch (error) {
      reject(error);
    }
  };
  return {
    births,
    snapshot: promise,
    within(ms) {
      if (isNext) return;
      isNext = ms <= 0;
      if (!isNext) {
        timer ??= setTimeout(run, ms);
        return;
      }
      clearTimeout(timer);
      setImmediate(run);
    },
  };
}

/** Scans synchronously. */
export function scanNow(births: readonly (Birth | undefined)[] = [undefined]): Snapshot {
  const floor = oldestPid(births);
  const procs = new Map<number, Proc>();
  // A process may fork and end before its line is read; its child appears only in a second listing.
  let vanished = readListed(floor, procs);
  for (let round = 1; round < 3 && vanished > 0; round++) vanished = readListed(floor, procs);
  return withMarkers(procs, vanished > 0);
}

/** Adds processes that are not yet known; returns how many ended between the listing and the reading. */
function readListed(floor: number, procs: Map<number, Proc>): number {
  let vanished = 0;
  for (const pid of listPids()) {
    if (pid < floor || procs.has(pid)) continue;
    const proc = readProc(pid);
    if (!proc) vanished++;
    else procs.set(pid, proc);
  }
  return vanished;
}

function withMarkers(procs: ReadonlyMap<number, Proc>, isBlurred: boolean): Snapshot {
  const variables = new Map<number, Variables>();
  const read = (pid: number) => {
    const known = variables.get(pid) ?? readVariables(pid, [taskVariable, pumpVariable]);
    variables.set(pid, known);
    return known;
  };
  return {
    procs,
    isBlurred,
    taskMarker: ({ pid }) => read(pid).values[0],
    pumpMarker: ({ pid }) => read(pid).values[1],
    isUnrecognizable: ({ pid }) => read(pid).isBlank && !hasNoVariables(pid),
  };
}

let knownForks = Number.NaN;

/**
 * Returns the forks since boot, to be noted before a spawn. May return the count of the last scan, since an older
 * count only makes scans more careful.
 */
export function forksSoFar(): number {
  if (Number.isNaN(knownForks)) knownForks = readForks().total;
  return knownForks;
}

// Pids are handed out upwards and wrap around, so a larger pid means a younger process only until they can have
// wrapped.
function oldestPid(births: readonly (Birth | undefined)[]): number {
  const { total, newestPid } = readForks();
  knownForks = total;
  let floor = Number.POSITIVE_INFINITY;
  for (const birth of births) {
    const inOrder = birth && total - birth.forks < pidMax() / 2 && newestPid >= birth.pid;
    floor = Math.min(floor, inOrder ? birth.pid : 0);
  }
  return floor;
}
