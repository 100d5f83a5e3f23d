import type { TaskOutcome } from "../task/types.ts";
import type { TaskDetails } from "./details.ts";

/** What a hook knows of the run. */
export interface HookContext {
  /** The task's UUID. */
  taskId: string;
  app: string;
  say(text: string): void;
  /** The end of what the program wrote to stderr, raw; to be asked by `after`. */
  lastErrors(): Promise<Buffer>;
}

/**
 * Work around a task. `before` runs when its details are known and nothing has been prepared; what it throws ends
 * the task as PREPARE_FAILED. `after` runs when all processes of the task are gone and its workspace still stands;
 * it gets the outcome and may put another message on it. After a server's death either may run again.
 */
export interface Hook {
  name: string;
  appliesTo(app: string): boolean;
  before?(context: HookContext, details: TaskDetails, signal: AbortSignal): Promise<void>;
  after?(context: HookContext, outcome: TaskOutcome): Promise<TaskOutcome>;
}

export async function runBefore(
  hooks: readonly Hook[],
  context: HookContext,
  details: TaskDetails,
  signal: AbortSignal,
): Promise<void> {
  for (const hook of hooks) {
    signal.throwIfAborted();
    if (hook.appliesTo(context.app)) await hook.before?.(context, details, signal);
  }
}

/** A hook that fails is reported in the log and changes nothing. */
export async function runAfter(
  hooks: readonly Hook[],
  context: HookContext,
  outcome: TaskOutcome,
): Promise<TaskOutcome> {
  let result = outcome;
  for (const hook of hooks.toReversed()) {
    if (!hook.appliesTo(context.app) || !hook.after) continue;
    try {
      result = await hook.after(context, result);
    } catch (error) {
      context.say(`Hook ${hook.name} failed: ${error instanceof Error ? error.message : error}`);
    }
  }
  return result;
}
