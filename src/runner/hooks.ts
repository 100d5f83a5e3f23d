import type { Commit, SideScript } from "../jobs/job.ts";
import { messageOf, PrepareError } from "../task/errors.ts";
import type { Exit } from "../task/exit.ts";
import type { TaskOutcome } from "../task/types.ts";
import type { TaskDetails } from "./details.ts";
import { stoppedInstead } from "./outcome.ts";

export type { Commit, Exit, SideScript, TaskDetails, TaskOutcome };

/** What a hook knows of the run, and what it can do. */
export interface HookContext {
  /** The task's UUID. */
  taskId: string;
  app: string;
  /** What was checked out; empty before that. */
  commit: Commit;
  /** Adds a line to the task's log, with its secrets masked. */
  say(text: string): void;
  /** The end of what the program wrote to stderr, raw; to be asked by `after`. */
  lastErrors(): Promise<Buffer>;
  /**
   * Runs a short script in the task's workspace, or in a folder that is emptied afterwards while there is none, with the
   * environment of its shell-like apps.
   * @throws if it cannot be started, takes too long or is stopped; nothing of it is alive then.
   */
  runScript(script: SideScript, details: TaskDetails, signal: AbortSignal): Promise<Exit>;
}

/**
 * Work around a task. `before` runs when its details are known and nothing has been prepared; what it throws ends
 * the task as PREPARE_FAILED. `after` runs when all processes of the task are gone and its workspace still stands;
 * it gets the outcome and may put another one in its place (nothing: it stays), and the details unless they could not be had. Both end with
 * the signal's reason when it aborts: the task is to end, or the server goes. After a server's end either may run again.
 */
export interface Hook {
  /** For the log. */
  name: string;
  appliesTo(app: string): boolean;
  before?(context: HookContext, details: TaskDetails, signal: AbortSignal): Promise<void>;
  after?(
    context: HookContext,
    outcome: TaskOutcome,
    details: TaskDetails | undefined,
    signal: AbortSignal,
    // biome-ignore lint/suspicious/noConfusingVoidType: whoever only looks on returns nothing
  ): Promise<TaskOutcome | void>;
}

/** @throws PrepareError if a hook fails; the signal's reason. */
export async function runBefore(
  hooks: readonly Hook[],
  context: HookContext,
  details: TaskDetails,
  signal: AbortSignal,
): Promise<void> {
  for (const hook of hooks) {
    signal.throwIfAborted();
    try {
      if (hook.appliesTo(context.app)) await hook.before?.(context, details, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof PrepareError) throw error;
      throw new PrepareError(`Hook ${hook.name} failed: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** What ends the hooks after a task. */
export interface AfterSignals {
  /** Somebody wants the task to end: ends the hook that runs, and the task is stopped. */
  stop: AbortSignal;
  /** The server goes: ends them all. */
  shutdown: AbortSignal;
}

/**
 * A hook that fails is reported in the log and changes nothing. A stop that comes while a hook runs ends that one; those
 * after it run for a task that was stopped.
 * @throws the shutdown's reason
 */
export async function runAfter(
  hooks: readonly Hook[],
  context: HookContext,
  outcome: TaskOutcome,
  details: TaskDetails | undefined,
  { stop, shutdown }: AfterSignals,
): Promise<TaskOutcome> {
  let result = outcome;
  for (const hook of hooks.toReversed()) {
    shutdown.throwIfAborted();
    // A task that was stopped before has its hooks all the same.
    const canStop = !stop.aborted;
    const signal = canStop ? AbortSignal.any([stop, shutdown]) : shutdown;
    try {
      if (hook.appliesTo(context.app))
        result = (await hook.after?.(context, result, details, signal)) ?? result;
    } catch (error) {
      shutdown.throwIfAborted();
      context.say(`Hook ${hook.name} failed: ${messageOf(error)}`);
    }
    if (canStop && stop.aborted && result.status === "SUCCESS") result = stoppedInstead(result);
  }
  return result;
}
