import type { Program } from "../jobs/job.ts";

/**
 * Why a run is stopped before its program has ended. The reason with the highest WEIGHT is the one that is recorded.
 */
export type StopReason = "user" | "run_timeout" | "idle_timeout" | "log_failed" | "lease_lost";
const WEIGHT: Record<StopReason, number> = {
  idle_timeout: 1,
  run_timeout: 1,
  user: 2,
  log_failed: 3,
  lease_lost: 4,
};

/** Reason of the shutdown signal: the server ends, and its tasks are taken over or put back. */
export class ShutdownError extends Error {
  constructor() {
    super("The server is shutting down");
    this.name = "ShutdownError";
  }
}

/** Reason of `RunControl.signal`: a kill request, a time limit, a failed log or a lost lease ends the run. */
export class StopError extends Error {
  constructor(reason: StopReason) {
    super(`The task was stopped (${reason})`);
    this.name = "StopError";
  }
}

/** Ends a run in any of its states: `stop` aborts its preparation and kills its program. */
export interface RunControl {
  /** Aborted by the first stop, with a StopError: preparation ends at once. */
  readonly signal: AbortSignal;
  /** The weightiest reason so far; undefined: the run has not been stopped. */
  readonly reason: StopReason | undefined;
  /** Aborted when the lease is lost. From then on this run must not kill the program: another server owns the task. */
  readonly leaseLost: AbortSignal;
  /**
   * Kills the program after `graceMs` milliseconds. Repeated calls can bring the deadline forward, never put it off.
   */
  stop(reason: StopReason, graceMs: number): void;
  /** Sets the program that `stop` kills; kills it at once if the run has been stopped already. */
  attach(program: Pick<Program, "kill">): void;
}

export function createControl(): RunControl {
  const controller = new AbortController();
  const leaseLost = new AbortController();
  let reason: StopReason | undefined;
  let program: Pick<Program, "kill"> | undefined;
  let until = Number.POSITIVE_INFINITY;
  const kill = () => {
    if (reason !== "lease_lost") program?.kill({ graceMs: Math.max(0, until - performance.now()) });
  };
  return {
    signal: controller.signal,
    leaseLost: leaseLost.signal,
    get reason() {
      return reason;
    },
    stop(next, graceMs) {
      if (!reason || WEIGHT[next] > WEIGHT[reason]) reason = next;
      until = Math.min(until, performance.now() + graceMs);
      kill();
      controller.abort(new StopError(reason));
      if (reason === "lease_lost") leaseLost.abort(controller.signal.reason);
    },
    attach(started) {
      program = started;
      if (reason) kill();
    },
  };
}
