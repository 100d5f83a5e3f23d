import { type Task, type TaskResult, TaskStatus } from "../../gen/signalman/v1/task_pb.ts";
import type { WatchTaskResponse } from "../../gen/signalman/v1/task_service_pb.ts";
import { shortName } from "./input/names.ts";
import { resultLines, resultOf } from "./result.ts";
import type { Session } from "./session.ts";
import { startFor } from "./tail.ts";
import { onInterrupt } from "./terminal/interrupt.ts";
import { exitCodeOf } from "./terminal/status.ts";
import type { OutputOptions } from "./terminal/task-output.ts";
import { createJsonView } from "./view/json-view.ts";
import { createLiveView } from "./view/live-view.ts";
import type { View } from "./view/view.ts";

export interface FollowOptions extends OutputOptions {
  /** Begin with so many last lines; undefined: with the first one. */
  tail?: number;
  /** Tell a plan that changes something by exit code 2, and every failure by 1. */
  detailedExitcode?: true;
}

/**
 * Shows a task until its end and returns the exit code that tells it.
 * @throws Left if a signal ended the watching.
 */
export async function follow(session: Session, name: string, options: FollowOptions = {}): Promise<number> {
  const { stdout, stderr } = process;
  const start = await startFor(session, { name }, options.tail);
  await using view: View = session.json ? createJsonView() : createLiveView(stdout, stderr, options);
  using interrupt = onInterrupt({
    say: (text) => view.note(text),
    command: session.command(`watch ${shortName(name)}`),
    kill: () => session.call(({ tasks }, options) => tasks.killTask({ name, reason: "Ctrl-C" }, options)),
  });
  view.note(shortName(name));
  let isBroken = false;
  const events = session.client.watch(
    { name, start },
    {
      signal: interrupt.signal,
      repeatSnapshots: true,
      onReconnect({ error, attempt }) {
        if (attempt === 1) view.note(`the connection broke (${error.rawMessage}); trying again`);
        isBroken = true;
      },
    },
  );
  let end: Task | undefined;
  let result: TaskResult | undefined;
  for await (const event of events) {
    if (isBroken) view.note("connected again");
    const isRepeated = isBroken && event.event.case === "snapshot";
    isBroken = false;
    if (event.event.case === "end") {
      end = event.event.value.task;
      result = await resultOf(session, name);
      for (const line of result && !session.json ? resultLines(result) : []) view.note(line);
    }
    if (!isRepeated) await view.event(event, result);
    if (isWaiting(event)) await sayHowToDecide(session, name, view);
  }
  const code = exitCodeOf(end?.status ?? 0);
  return options.detailedExitcode && code === 0 ? planCode(result, (text) => view.note(text)) : code;
}

/** As `terraform plan -detailed-exitcode`: 0, or 2 for changes. */
function planCode(result: TaskResult | undefined, say: (text: string) => void): number {
  if (result?.app.case !== "terraform") {
    say("the server does not tell what the plan changes");
    return 1;
  }
  const { hasChanges, added, changed, destroyed } = result.app.value;
  return hasChanges || added + changed + destroyed > 0 ? 2 : 0;
}

function isWaiting({ event }: WatchTaskResponse): boolean {
  return event.case === "status" && event.value.status === TaskStatus.WAITING_CONFIRMATION;
}

/** Past statuses are told again to whoever comes later: the plan may have been decided on long ago. */
async function sayHowToDecide(session: Session, name: string, view: View): Promise<void> {
  const { task } = await session.call(({ tasks }, options) => tasks.getTask({ name }, options));
  if (task?.status !== TaskStatus.WAITING_CONFIRMATION) return;
  const command = (verb: string) => session.command(`${verb} ${shortName(name)}`);
  view.note(`look at it and decide with: ${command("confirm")}, or end it with: ${command("reject")}`);
}
