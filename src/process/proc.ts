import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from "node:fs";

/** A process for good: pids are reused (32768 of them), a pid with its start time is not. */
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
  /** Ended but not reaped. A dead main thread with living others is not dead. */
  dead: boolean;
  /** A thread of the kernel's own. */
  kernel: boolean;
}

/** Reads one stat line, `undefined` if it is none. The name in brackets may contain anything, brackets too. */
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

/** A recorded stat line, or only a pid where the system has no /proc. */
export function identityFromStat(line: string): Identity | undefined {
  const proc = parseStat(line);
  if (proc) return { pid: proc.pid, start: proc.start };
  const pid = Number.parseInt(line, 10);
  return pid > 0 ? { pid, start: 0 } : undefined;
}

/** `undefined`: no such process. */
export function readProc(pid: number): Proc | undefined {
  const length = slurp(`/proc/${pid}/stat`);
  return length === undefined ? undefined : parseStat(buffer.toString("latin1", 0, length));
}

/** Whether that very process still runs; by pid alone where there is no /proc. */
export function isAlive(who: Identity): boolean {
  if (who.start === 0) return send(who.pid, 0) !== "gone";
  const proc = readProc(who.pid);
  return proc !== undefined && proc.start === who.start && !proc.dead;
}

/** All pids, in no promised order; empty where there is no /proc. Throws when we are out of descriptors. */
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
  /** Readable, but nothing in it. */
  isBlank: boolean;
}

/** Nothing is found if the process is gone, or not ours to read. */
export function readVariables(pid: number, names: readonly string[]): Variables {
  const length = slurp(`/proc/${pid}/environ`);
  return { values: names.map((name) => valueIn(length ?? 0, `${name}=`)), isBlank: length === 0 };
}

/**
 * In the middle of an exec, or of its exit, a process shows a blank environment whatever it carries. Whether a blank
 * one can be believed tell fields 50 and 51 of its stat line, where it begins and ends: equal, and not 0.
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

/** What a process has open: link texts such as `pipe:[4711]`. */
export function readOpen(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return []; // gone, or another user's
  }
}

/** The pipe that a process has as its stdin. */
export function readInput(pid: number): string | undefined {
  try {
    const link = readlinkSync(`/proc/${pid}/fd/0`);
    return link.startsWith("pipe:") ? link : undefined;
  } catch {
    return undefined;
  }
}

/** Every process and thread since boot, and the newest pid: together they tell whether pids have wrapped around. */
export function readForks(): { total: number; newestPid: number } {
  const stat = buffer.toString("latin1", 0, slurp("/proc/stat") ?? 0);
  const total = Number(/^processes (\d+)/m.exec(stat)?.[1] ?? Number.NaN);
  const loadavg = buffer.toString("latin1", 0, slurp("/proc/loadavg") ?? 0);
  return { total, newestPid: Number(loadavg.trim().split(" ").at(-1)) };
}

export const bootId = once(() => textOr("/proc/sys/kernel/random/boot_id", "-"));
export const pidMax = once(() => Number(textOr("/proc/sys/kernel/pid_max", "0")));

/** Sends a signal, to a group if `pid` is negative; the answer is a value. 0 only asks. */
export function send(pid: number, signal: NodeJS.Signals | 0): "sent" | "gone" | "forbidden" {
  if (!(Math.abs(pid) > 1)) return "forbidden"; // 0, -1 and 1 mean ourselves, everybody and init
  try {
    process.kill(pid, signal);
    return "sent";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" ? "forbidden" : "gone";
  }
}

// One buffer for all: everything here is synchronous. It grows to the largest environment seen (argv's limit is 2–6 MiB).
let buffer = Buffer.allocUnsafe(64 * 1024);

/** Fills the buffer from a /proc file and returns its length; `undefined` if it is gone or not ours to read. */
function slurp(path: string): number | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    for (let length = 0; ; ) {
      length += readSync(file, buffer, length, buffer.length - length, null);
      // All files read here are made in one go by the kernel: a short read is the end.
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

// Taken for "no such process" it would end a sweep with everybody alive.
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
