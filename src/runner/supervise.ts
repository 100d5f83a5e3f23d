import type { Program, ProgramEnd } from "../jobs/job.ts";
import type { StreamOffsets, TaskLog } from "../logs/types.ts";
import { LeaseLost, messageOf } from "../task/errors.ts";
import type { RunControl, StopReason } from "./control.ts";

export interface SuperviseOptions {
  program: Program;
  log: TaskLog;
  /** What is in the log already, in raw bytes. */
  from: StreamOffsets;
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
 * @throws the shutdown's reason, with the program released; the reason of a lost lease; OutputLost
 */
export async function supervise(options: SuperviseOptions): Promise<ProgramEnd> {
  const { program, log, control, shutdown } = options;
  const leaving = AbortSignal.any([shutdown, control.leaseLost]);
  const progress = { bytes: 0 };
  control.attach(program);
  using _limits = enforceLimits(options, progress);
  const onLogFailed = () => {
    if (shutdown.aborted) return;
    control.stop(log.failed.reason instanceof LeaseLost ? "lease_lost" : "log_failed", 0);
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
    // What becomes of the program then, the job says.
    control.leaseLost.throwIfAborted();
    program.release();
    shutdown.throwIfAborted();
    throw new OutputLost(error);
  } finally {
    log.failed.removeEventListener("abort", onLogFailed);
  }
}

/** The output cannot be read any more: what became of the program is not known. */
export class OutputLost extends Error {
  constructor(cause: unknown) {
    super(`The program's output can no longer be read, so it was ended: ${messageOf(cause)}`, { cause });
    this.name = "OutputLost";
  }
}

/** Clocks of ours, not the database's: they run on while it is away. */
function enforceLimits(options: SuperviseOptions, progress: { readonly bytes: number }): Disposable {
  const { control, program, runTimeoutMs, idleTimeoutMs, graceMs } = options;
  const timers: NodeJS.Timeout[] = [];
  // A program that has ended is not late, however long its output takes, or however late we came to see it.
  const stop = (reason: StopReason) => {
    if (!program.hasExited()) control.stop(reason, graceMs);
  };
  if (runTimeoutMs !== undefined) timers.push(longTimeout(() => stop("run_timeout"), runTimeoutMs));
  if (idleTimeoutMs !== undefined)
    timers.push(watchIdle(() => stop("idle_timeout"), program, progress, idleTimeoutMs));
  return { [Symbol.dispose]: () => timers.forEach((timer) => void clearInterval(timer)) };
}

/** How often the idle clock looks: within a tenth of the limit, 1 s at most. */
function watchIdle(
  action: () => void,
  program: Pick<Program, "unread">,
  progress: { readonly bytes: number },
  limit: number,
): NodeJS.Timeout {
  let last = { bytes: -1, time: performance.now() };
  return setInterval(
    () => {
      // Output that waits to be read is output: the clock stands still while we are the slow ones.
      const { bytes } = progress;
      if (program.unread() > 0 || bytes !== last.bytes) last = { bytes, time: performance.now() };
      else if (performance.now() - last.time >= limit) action();
    },
    Math.min(1000, limit / 10),
  );
}

/** setTimeout overflows after 24.8 days, and limits may be years: an interval that looks once a second. */
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
