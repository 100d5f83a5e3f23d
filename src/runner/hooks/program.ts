import type { ProgramHook } from "../../../gen/signalman/v1/hook_pb.ts";
import type { TaskDetails } from "../details.ts";
import type { HookContext } from "../hooks.ts";
import type { Facts } from "./facts.ts";

/** Characters of a hook program's output that are copied into the task's log; its output may be unlimited. */
const MAX_SHOWN = 1024 * 1024;

/**
 * Runs the program of a hook, and copies its output into the task's log.
 * @throws Error if it cannot be started or ends with another exit code than 0; the reason of `signal` if it aborts.
 */
export async function runProgram(
  context: HookContext,
  { name, app, script }: ProgramHook & { name: string },
  facts: Facts,
  details: TaskDetails | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (!details) throw new Error("the settings of the task, which its program needs, could not be loaded");
  let room = MAX_SHOWN;
  const onLine = (line: string) => {
    if (room <= 0) return;
    room -= line.length;
    context.say(room > 0 ? `${name}: ${line}` : `${name}: further output is not shown (the limit is 1 MiB)`);
  };
  const { event, status, reason } = facts;
  const env = { SIGNALMAN_EVENT: event, SIGNALMAN_STATUS: status, SIGNALMAN_REASON: reason };
  const exit = await context.runScript({ app, text: script, env, onLine }, details, signal);
  if (exit.kind === "signal") throw new Error(`it was killed by ${exit.signal}`);
  if (exit.kind === "lost" || exit.code !== 0)
    throw new Error(`it ended with exit code ${exit.kind === "code" ? exit.code : "unknown"}`);
}
