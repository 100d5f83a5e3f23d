import type { Commit, SideScript } from "../jobs/job.ts";
import { messageOf, PrepareError } from "../task/errors.ts";
import type { Exit } from "../task/exit.ts";
import type { TaskOutcome } from "../task/types.ts";
import type { TaskDetails } from "./details.ts";
import { stoppedInstead } from "./outcome.ts";

export type { Commit, Exit, SideScript, TaskDetails, TaskOutcome };

/** Facts of the run for a hook, and the actions that a hook may take in it. */
export interface HookContext {
  /** The task's UUID. */
  taskId: string;
  app: string;
  /** Commit that is checked out in the workspace; empty before the checkout. */
  commit: Commit;
  /** Adds a line to the task's log, with its secrets masked. */
  say(text: string): void;
  /** Resolves to the last bytes that the program wrote to stderr, with secrets unmasked. For `after`. */
  lastErrors(): Promise<Buffer>;
  /**
   * Runs a short script in the task's workspace, with the environment of shell-like apps. Without a workspace it runs
   * in a temporary folder.
   * @throws Error if the script cannot be started, takes too long or is stopped; none of its processes is alive then.
   */
  runScript(script: SideScript, details: TaskDetails, signal: AbortSignal): Promise<Exit>;
}

/**
 * Work before and after a task.
 *
 * `before` runs when the details are known and nothing has been prepared. An error that it throws ends the task as
 * PREPARE_FAILED. `after` runs when all processes of the task are gone and its workspace still exists. It receives the
 * outcome, and replaces it by the one that it returns; undefined keeps it. `details` is undefined if they could not be
 * loaded.
 *
 * The signal aborts when the task is stopped or the server shuts down; a hook then rejects with its reason. After the
 * end of a server the next server may run a hook again.
 */
export interface Hook {
  /** Names the hook in the task's log. */
  name: string;
  appliesTo(app: string): boolean;
  before?(context: HookContext, details: TaskDetails, signal: AbortSignal): Promise<void>;
  after?(
    context: HookContext,
    outcome: TaskOutcome,
    details: TaskDetails | undefined,
    signal: AbortSignal,
    // biome-ignore lint/suspicious/noConfusingVoidType: a hook that only observes returns nothing
  ): Promise<TaskOutcome | void>;
}

/**
 * Runs the `before` of all hooks, one after the other.
 * @throws PrepareError if a hook fails; the reason of `signal` if it aborts.
 */
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

/** Signals that end the hooks after a task. */
export interface AfterSignals {
  /** The task is stopped: ends the hook that is running; the other hooks still run. */
  stop: AbortSignal;
  /** The server shuts down: ends all hooks. */
  shutdown: AbortSignal;
}

/**
 * Runs the `after` of all hooks in reverse order, and returns the outcome that they leave. A hook that fails is
 * reported in the task's log and leaves the outcome as it is. A stop ends the hook that is running and turns a success
 * into STOPPED, which the remaining hooks then see.
 * @throws the reason of `shutdown` if it aborts.
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
    // A stop from before this hook does not end it: the hooks also run for a task that was stopped.
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
