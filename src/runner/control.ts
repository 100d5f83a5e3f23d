import type { Program } from "../jobs/job.ts";

/** Why a run is to end before its program does. A person's wish outweighs a time-out; a lost lease outweighs all. */
export type StopReason = "user" | "run_timeout" | "idle_timeout" | "log_failed" | "lease_lost";
const WEIGHT: Record<StopReason, number> = {
  idle_timeout: 1,
  run_timeout: 1,
  user: 2,
  log_failed: 3,
  lease_lost: 4,
};

/** The server goes; the task stays. Reason of the shutdown signal. */
export class ShutdownRequested extends Error {
  constructor() {
    super("The server is shutting down");
    this.name = "ShutdownRequested";
  }
}

/** Somebody or something wants this task to end. Reason of a control's signal. */
export class StopRequested extends Error {
  constructor(reason: StopReason) {
    super(`The task was stopped (${reason})`);
    this.name = "StopRequested";
  }
}

/** The one way to end a run, in whatever state it is. */
export interface RunControl {
  /** Aborted by the first stop, with a StopRequested: preparation ends at once. */
  readonly signal: AbortSignal;
  readonly reason: StopReason | undefined;
  /** Aborted when the lease is lost: the program is no longer this run's to end. */
  readonly leaseLost: AbortSignal;
  /** May be repeated; the program's deadline may become shorter, never longer. */
  stop(reason: StopReason, graceMs: number): void;
  /** The program to end from now on; at once, if a stop came before it. */
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
      controller.abort(new StopRequested(reason));
      if (reason === "lease_lost") leaseLost.abort(controller.signal.reason);
    },
    attach(started) {
      program = started;
      if (reason) kill();
    },
  };
}
