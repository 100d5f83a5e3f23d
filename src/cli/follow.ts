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
  /** Number of last lines to begin with; undefined: begins with the first line. */
  tail?: number;
  /** Exit code 2 for a plan with changes and 1 for every failure. */
  detailedExitcode?: true;
}

/**
 * Shows a task until its end and returns the exit code for that end.
 * @throws LeftError if a signal ended the watch
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
  let isResumed = false;
  const events = session.client.watch(
    { name, start },
    {
      signal: interrupt.signal,
      repeatSnapshots: true,
      onReconnect({ error, attempt, isRoutine }) {
        isResumed = true;
        if (isRoutine) return;
        if (attempt === 1) view.note(`the connection broke (${error.rawMessage}); trying again`);
        isBroken = true;
      },
    },
  );
  let end: Task | undefined;
  let result: TaskResult | undefined;
  for await (const event of events) {
    if (isBroken) view.note("connected again");
    const isRepeated = isResumed && event.event.case === "snapshot";
    isBroken = isResumed = false;
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

/** Returns the exit code of `terraform plan -detailed-exitcode`: 2 for a plan with changes, else 0; 1 without a result. */
function planCode(result: TaskResult | undefined, say: (text: string) => void): number {
  if (result?.app.case !== "terraform") {
    say(
      "cannot tell whether the plan has changes: the server has no Terraform result of this task; read its log",
    );
    return 1;
  }
  const { hasChanges, added, changed, destroyed } = result.app.value;
  return hasChanges || added + changed + destroyed > 0 ? 2 : 0;
}

function isWaiting({ event }: WatchTaskResponse): boolean {
  return event.case === "status" && event.value.status === TaskStatus.WAITING_CONFIRMATION;
}

/** Names the commands that confirm or reject the plan, if it still waits: a watch that starts later gets past statuses, too. */
async function sayHowToDecide(session: Session, name: string, view: View): Promise<void> {
  const { task } = await session.call(({ tasks }, options) => tasks.getTask({ name }, options));
  if (task?.status !== TaskStatus.WAITING_CONFIRMATION) return;
  const command = (verb: string) => session.command(`${verb} ${shortName(name)}`);
  view.note(
    `read the plan and confirm it with: ${command("confirm")}, or reject it with: ${command("reject")}`,
  );
}
