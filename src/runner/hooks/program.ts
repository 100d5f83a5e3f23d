import type { ProgramHook } from "../../../gen/signalman/v1/hook_pb.ts";
import type { TaskDetails } from "../details.ts";
import type { HookContext } from "../hooks.ts";
import type { Facts } from "./facts.ts";

/** Characters of its output that come into the log: it may print without end. */
const SHOWN = 1024 * 1024;

/** @throws Error if it did not end with exit code 0, or could not be started; the signal's reason. */
export async function runProgram(
  context: HookContext,
  { name, app, script }: ProgramHook & { name: string },
  facts: Facts,
  details: TaskDetails | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (!details) throw new Error("what it needs to know of the task cannot be had");
  let room = SHOWN;
  const onLine = (line: string) => {
    if (room <= 0) return;
    room -= line.length;
    context.say(room > 0 ? `${name}: ${line}` : `${name} says more than is shown here`);
  };
  const { event, status, reason } = facts;
  const env = { SIGNALMAN_EVENT: event, SIGNALMAN_STATUS: status, SIGNALMAN_REASON: reason };
  const exit = await context.runScript({ app, text: script, env, onLine }, details, signal);
  if (exit.kind === "signal") throw new Error(`it died by ${exit.signal}`);
  if (exit.kind === "lost" || exit.code !== 0)
    throw new Error(`it ended with exit code ${exit.kind === "code" ? exit.code : "unknown"}`);
}
