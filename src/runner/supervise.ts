import type { Program, ProgramEnd } from "../jobs/job.ts";
import type { StreamOffsets, TaskLog } from "../logs/types.ts";
import { LeaseLostError, messageOf } from "../task/errors.ts";
import type { RunControl, StopReason } from "./control.ts";

export interface SuperviseOptions {
  program: Program;
  log: TaskLog;
  /** Raw bytes of each stream that are in the log already. */
  from: StreamOffsets;
  control: RunControl;
  /** Milliseconds from now until the program is stopped; undefined: no limit. */
  runTimeoutMs: number | undefined;
  /** Milliseconds without output until the program is stopped; undefined: no limit. */
  idleTimeoutMs: number | undefined;
  /** Grace period in milliseconds when a time limit stops the program. */
  graceMs: number;
  shutdown: AbortSignal;
}

/**
 * Copies a program's output into the log until the output and the program have ended. Stops the program when a time
 * limit is exceeded or the log can no longer be stored.
 * @throws OutputLostError if the output cannot be read; the reason of `shutdown`, with the program left running; the reason
 * of a lost lease.
 */
export async function supervise(options: SuperviseOptions): Promise<ProgramEnd> {
  const { program, log, control, shutdown } = options;
  const leaving = AbortSignal.any([shutdown, control.leaseLost]);
  const progress = { bytes: 0 };
  control.attach(program);
  using _limits = enforceLimits(options, progress);
  const onLogFailed = () => {
    if (shutdown.aborted) return;
    control.stop(log.failed.reason instanceof LeaseLostError ? "lease_lost" : "log_failed", 0);
  };
  log.failed.addEventListener("abort", onLogFailed);
  if (log.failed.aborted) onLogFailed();
  try {
    for await (const { stream, bytes, offset } of program.output(options.from, leaving)) {
      const room = log.write(stream, bytes, offset);
      if (room) await room;
      progress.bytes += bytes.length;
      program.committed(log.storedOffsets);
    }
    leaving.throwIfAborted();
    return await program.ended;
  } catch (error) {
    // With a lost lease the job decides what happens to the program, so it is not released here.
    control.leaseLost.throwIfAborted();
    program.release();
    shutdown.throwIfAborted();
    throw new OutputLostError(error);
  } finally {
    log.failed.removeEventListener("abort", onLogFailed);
  }
}

/** Thrown when the program's output can no longer be read, so that the program's end is unknown. */
export class OutputLostError extends Error {
  constructor(cause: unknown) {
    super(`The program's output can no longer be read, so it was ended: ${messageOf(cause)}`, { cause });
    this.name = "OutputLostError";
  }
}

/**
 * Starts the timers of both time limits. They use this server's clock, so that they run on while the database is away.
 */
function enforceLimits(options: SuperviseOptions, progress: { readonly bytes: number }): Disposable {
  const { control, program, runTimeoutMs, idleTimeoutMs, graceMs } = options;
  const timers: NodeJS.Timeout[] = [];
  // A program that has exited is not stopped, even if its output is still being read when the limit expires.
  const stop = (reason: StopReason) => {
    if (!program.hasExited()) control.stop(reason, graceMs);
  };
  if (runTimeoutMs !== undefined) timers.push(longTimeout(() => stop("run_timeout"), runTimeoutMs));
  if (idleTimeoutMs !== undefined)
    timers.push(watchIdle(() => stop("idle_timeout"), program, progress, idleTimeoutMs));
  return { [Symbol.dispose]: () => timers.forEach((timer) => void clearInterval(timer)) };
}

/**
 * Calls `action` after `limit` milliseconds without output. Looks ten times within the limit, at least once a second.
 */
function watchIdle(
  action: () => void,
  program: Pick<Program, "unread">,
  progress: { readonly bytes: number },
  limit: number,
): NodeJS.Timeout {
  let last = { bytes: -1, time: performance.now() };
  return setInterval(
    () => {
      // Unread output counts as output, so that a slow server does not make a program idle.
      const { bytes } = progress;
      if (program.unread() > 0 || bytes !== last.bytes) last = { bytes, time: performance.now() };
      else if (performance.now() - last.time >= limit) action();
    },
    Math.min(1000, limit / 10),
  );
}

/** Calls `action` once, after `ms` milliseconds. Checks every second, since setTimeout overflows after 24.8 days. */
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
