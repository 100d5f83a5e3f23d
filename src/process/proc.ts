import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from "node:fs";

/** Identifies a process: pids are reused, a pid with its start time is not. */
export interface Identity {
  pid: number;
  /** Clock ticks since boot, field 22 of /proc/<pid>/stat; 0 where there is no /proc. */
  start: number;
}

/** One process as /proc shows it. */
export interface Proc extends Identity {
  ppid: number;
  /** Process group and session. */
  pgid: number;
  sid: number;
  /** Ended but not yet reaped. A process whose main thread has ended while other threads run is not dead. */
  dead: boolean;
  /** Whether it is a thread of the kernel. */
  kernel: boolean;
}

/**
 * Parses a line of /proc/<pid>/stat; undefined if it is none. The name in brackets may contain any character,
 * brackets too.
 */
export function parseStat(line: string): Proc | undefined {
  const end = line.lastIndexOf(")");
  if (end < 0) return undefined;
  const [state, ppid, pgid, sid, ...rest] = line.slice(end + 2).split(" ", 20);
  const [flags, threads] = [Number(rest[2]), Number(rest[13])];
  const dead = state === "X" || (state === "Z" && threads <= 1);
  return {
    pid: Number.parseInt(line, 10),
    ppid: Number(ppid),
    pgid: Number(pgid),
    sid: Number(sid),
    start: Number(rest[15]),
    dead,
    kernel: (flags & 0x00200000) !== 0, // PF_KTHREAD
  };
}

/** Parses a recorded stat line, or the bare pid that systems without /proc record. */
export function identityFromStat(line: string): Identity | undefined {
  const proc = parseStat(line);
  if (proc) return { pid: proc.pid, start: proc.start };
  const pid = Number.parseInt(line, 10);
  return pid > 0 ? { pid, start: 0 } : undefined;
}

/** Returns the process with this pid; undefined if there is none. */
export function readProc(pid: number): Proc | undefined {
  const length = slurp(`/proc/${pid}/stat`);
  return length === undefined ? undefined : parseStat(buffer.toString("latin1", 0, length));
}

/** Returns whether that very process runs; where there is no /proc, whether any process has its pid. */
export function isAlive(who: Identity): boolean {
  if (who.start === 0) return send(who.pid, 0) !== "gone";
  const proc = readProc(who.pid);
  return proc !== undefined && proc.start === who.start && !proc.dead;
}

/**
 * Returns all pids in no particular order; none where there is no /proc.
 * @throws the system's error if descriptors or memory run out
 */
export function listPids(): number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch (error) {
    rethrowShortage(error);
    return [];
  }
}

/** Variables of the environment with which a process was started. */
export interface Variables {
  values: (string | undefined)[];
  /** Whether the environment could be read and was empty. */
  isBlank: boolean;
}

/** Reads variables of a process. All are undefined if the process is gone or belongs to another user. */
export function readVariables(pid: number, names: readonly string[]): Variables {
  const length = slurp(`/proc/${pid}/environ`);
  return { values: names.map((name) => valueIn(length ?? 0, `${name}=`)), isBlank: length === 0 };
}

/**
 * Returns whether a process was started without an environment. During an exec and during its exit a process shows an
 * empty environment, whatever it carries. Fields 50 and 51 of its stat line tell where its environment begins and
 * ends: equal and not 0 if it really has none.
 */
export function hasNoVariables(pid: number): boolean {
  const length = slurp(`/proc/${pid}/stat`);
  const line = buffer.toString("latin1", 0, length ?? 0);
  const [begin, end] = line
    .slice(line.lastIndexOf(")") + 2)
    .split(" ")
    .slice(47, 49);
  return begin === end && Number(end) > 0;
}

function valueIn(length: number, prefix: string): string | undefined {
  for (let at = 0; ; ) {
    const found = buffer.indexOf(prefix, at, "latin1");
    if (found < 0 || found >= length) return undefined;
    if (found === 0 || buffer[found - 1] === 0) {
      const end = buffer.indexOf(0, found);
      return buffer.toString("latin1", found + prefix.length, end < 0 || end > length ? length : end);
    }
    at = found + prefix.length;
  }
}

/**
 * Returns the link texts of a process's descriptors, such as `pipe:[4711]`; none if it is gone or belongs to another
 * user.
 */
export function readOpen(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return []; // gone, or of another user
  }
}

/** Returns the link text of a process's stdin; undefined if that is no pipe. */
export function readInput(pid: number): string | undefined {
  try {
    const link = readlinkSync(`/proc/${pid}/fd/0`);
    return link.startsWith("pipe:") ? link : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Returns the forks since boot, threads included, and the newest pid. Together they tell whether pids have wrapped
 * around.
 */
export function readForks(): { total: number; newestPid: number } {
  const stat = buffer.toString("latin1", 0, slurp("/proc/stat") ?? 0);
  const total = Number(/^processes (\d+)/m.exec(stat)?.[1] ?? Number.NaN);
  const loadavg = buffer.toString("latin1", 0, slurp("/proc/loadavg") ?? 0);
  return { total, newestPid: Number(loadavg.trim().split(" ").at(-1)) };
}

export const bootId = once(() => textOr("/proc/sys/kernel/random/boot_id", "-"));
export const pidMax = once(() => Number(textOr("/proc/sys/kernel/pid_max", "0")));

/** Sends a signal to a process, or to a group if `pid` is negative. Signal 0 only checks. Never throws. */
export function send(pid: number, signal: NodeJS.Signals | 0): "sent" | "gone" | "forbidden" {
  if (!(Math.abs(pid) > 1)) return "forbidden"; // kill(2) would signal more than one process or init: 0 own group, -1 all processes, 1 init
  try {
    process.kill(pid, signal);
    return "sent";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" ? "forbidden" : "gone";
  }
}

// Shared by all reads, since they are synchronous. Grows to the largest environment seen, which the system limits to
// 2 to 6 MiB.
let buffer = Buffer.allocUnsafe(64 * 1024);

/** Reads a /proc file into the buffer and returns its length; undefined if it is gone or belongs to another user. */
function slurp(path: string): number | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    for (let length = 0; ; ) {
      length += readSync(file, buffer, length, buffer.length - length, null);
      // The kernel makes each of these files in one read, so a short read is the end.
      if (length < buffer.length) return length;
      buffer = Buffer.concat([buffer], buffer.length * 2);
    }
  } catch (error) {
    rethrowShortage(error);
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

// Rethrows errors of exhausted descriptors or memory. Taken for "no such process" they would end a sweep too early.
function rethrowShortage(error: unknown): void {
  const { code = "" } = error as NodeJS.ErrnoException;
  if (["EMFILE", "ENFILE", "ENOMEM"].includes(code)) throw error;
}

function textOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return otherwise;
  }
}

function once<Value>(make: () => Value): () => Value {
  let value: { it: Value } | undefined;
  return () => {
    value ??= { it: make() };
    return value.it;
  };
}
