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

/** Carried by every process of a task, its wrapper's shells too. */
export const taskVariable = "SIGNALMAN_TASK";
/** Carried by the pumps, and nothing else beside it. */
export const pumpVariable = "SIGNALMAN_PUMP";

/** The processes of one moment. Markers are read on demand and once. */
export interface Snapshot {
  procs: ReadonlyMap<number, Proc>;
  /** Some ended while they were looked at, to the last: a chain of forks may have passed unseen. */
  isBlurred: boolean;
  taskMarker(proc: Identity): string | undefined;
  pumpMarker(proc: Identity): string | undefined;
  /** It showed no environment, but not because it has none: who it is must be asked again. */
  isUnrecognizable(proc: Identity): boolean;
}

/** From where a scan must look: the pid, and how many forks the machine had seen at most when it was born. */
export interface Birth {
  pid: number;
  forks: number;
}

/**
 * Reads /proc once for everybody who asks in the same tick: a scan costs 10 µs a process. With `since`, only what can be
 * younger is read (older ones cannot belong to the task). Rejects when we are out of descriptors.
 * Module state on purpose: the process table is one per machine.
 */
export function scan(since?: Birth): Promise<Snapshot> {
  return takePart(since, 0);
}

/** The same for whoever can wait a moment, since many short tasks end together: so long after the last scan, at once if that was earlier. */
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
  /** Whoever is in the greatest hurry decides. */
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

/** The same at once. */
export function scanNow(births: readonly (Birth | undefined)[] = [undefined]): Snapshot {
  const floor = oldestPid(births);
  const procs = new Map<number, Proc>();
  // A process may fork and be gone before its line is read; then its child is only in a second listing.
  let vanished = readListed(floor, procs);
  for (let round = 1; round < 3 && vanished > 0; round++) vanished = readListed(floor, procs);
  return withMarkers(procs, vanished > 0);
}

/** Adds what is new and returns how many vanished between the listing and the reading. */
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

/** To be noted before a spawn. Uses the count of the last scan: an older one only makes scans more careful. */
export function forksSoFar(): number {
  if (Number.isNaN(knownForks)) knownForks = readForks().total;
  return knownForks;
}

// Pids are handed out upwards and around: "younger" is "larger" only while nobody can have come round since.
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
