import type { TaskLog } from "../logs/types.ts";
import { keepBackpressure, unreadBytes } from "../process/backpressure.ts";
import type { Exit } from "../process/exit.ts";
import { readStatus } from "../process/journal.ts";
import type { RunningProcess } from "../process/process.ts";
import { punch } from "../process/punch.ts";
import { tailSpool } from "../process/tail.ts";
import { LeaseLost, messageOf } from "../task/errors.ts";
import type { RunControl, StopReason } from "./control.ts";

export interface SuperviseOptions {
  program: RunningProcess;
  /** Folder of its output. */
  spool: string;
  log: TaskLog;
  /** What is in the log already, in raw bytes. */
  from: { stdout: number; stderr: number };
  control: RunControl;
  /** Milliseconds from now; undefined: none. */
  runTimeoutMs: number | undefined;
  idleTimeoutMs: number | undefined;
  /** Milliseconds from the polite signal to SIGKILL when it is late. */
  graceMs: number;
  shutdown: AbortSignal;
}

/**
 * Brings a program's output into the log until both have ended, and ends the program when its time is over or the
 * log can no longer be written.
 * @throws the shutdown's reason, with the program left as it is; OutputLost
 */
export async function supervise(options: SuperviseOptions): Promise<Exit> {
  const { program, spool, log, control, shutdown } = options;
  const read = { ...options.from };
  control.attach(program);
  using _backpressure = keepBackpressure({ folder: spool, pumps: program, read: () => read });
  using _limits = enforceLimits(options, read);
  const onLogFailed = () => {
    if (shutdown.aborted) return;
    control.stop(log.failed.reason instanceof LeaseLost ? "lease_lost" : "log_failed", 0);
  };
  log.failed.addEventListener("abort", onLogFailed);
  if (log.failed.aborted) onLogFailed();
  try {
    let punched = 0;
    for await (const { stream, bytes, offset } of tailSpool({
      folder: spool,
      from: options.from,
      ended: program.ended,
      signal: shutdown,
    })) {
      const room = log.write(stream, bytes, offset);
      if (room) await room;
      read[stream] = offset + bytes.length;
      const stored = log.storedOffsets.stdout + log.storedOffsets.stderr;
      if (stored - punched < PUNCH_EVERY) continue;
      punched = stored;
      void punch(spool, { ...log.storedOffsets });
    }
    shutdown.throwIfAborted();
    return await program.ended;
  } catch (error) {
    program.release();
    shutdown.throwIfAborted();
    throw new OutputLost(error);
  } finally {
    log.failed.removeEventListener("abort", onLogFailed);
  }
}

/** The spool cannot be read any more: what became of the program is not known. */
export class OutputLost extends Error {
  constructor(cause: unknown) {
    super(`The program's output can no longer be read, so it was ended: ${messageOf(cause)}`, { cause });
    this.name = "OutputLost";
  }
}

/** Bytes of output between two times that the disk gets them back. */
const PUNCH_EVERY = 32 * 1024 * 1024;

/** Clocks of ours, not the database's: they run on while it is away. */
function enforceLimits(options: SuperviseOptions, read: { stdout: number; stderr: number }): Disposable {
  const { control, spool, runTimeoutMs, idleTimeoutMs, graceMs } = options;
  const timers: NodeJS.Timeout[] = [];
  // A program that has ended is not late, however long its output takes, or however late we came to see it.
  const stop = (reason: StopReason) => {
    if (!hasEnded(spool)) control.stop(reason, graceMs);
  };
  if (runTimeoutMs !== undefined) timers.push(longTimeout(() => stop("run_timeout"), runTimeoutMs));
  if (idleTimeoutMs !== undefined)
    timers.push(watchIdle(() => stop("idle_timeout"), spool, read, idleTimeoutMs));
  return { [Symbol.dispose]: () => timers.forEach((timer) => void clearInterval(timer)) };
}

/** How often the idle clock looks: within a tenth of the limit, 1 s at most. */
function watchIdle(
  action: () => void,
  spool: string,
  read: { stdout: number; stderr: number },
  limit: number,
): NodeJS.Timeout {
  let last = { bytes: -1, time: performance.now() };
  return setInterval(
    () => {
      // Output that waits in the spool is output: the clock stands still while we are the slow ones.
      const unread = unreadOrNone(spool, read);
      const bytes = read.stdout + read.stderr;
      if (unread > 0 || bytes !== last.bytes) last = { bytes, time: performance.now() };
      else if (performance.now() - last.time >= limit) action();
    },
    Math.min(1000, limit / 10),
  );
}

function hasEnded(spool: string): boolean {
  try {
    return readStatus(spool) !== undefined;
  } catch {
    return false;
  }
}

function unreadOrNone(spool: string, read: { stdout: number; stderr: number }): number {
  try {
    return unreadBytes(spool, read);
  } catch {
    return 0; // the spool was taken away; so will be the program
  }
}

/** setTimeout overflows after 24.8 days; limits may be years. An interval that looks every day, or sooner. */
function longTimeout(action: () => void, ms: number): NodeJS.Timeout {
  const due = performance.now() + ms;
  const timer = setInterval(
    () => {
      if (performance.now() < due) return;
      clearInterval(timer);
      action();
    },
    Math.min(Math.max(ms, 1), 1000),
  );
  return timer;
}
