import { create } from "@bufbuild/protobuf";
import {
  type WaitTaskRequest,
  type WaitTaskResponse,
  WaitTaskResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import type { Hub } from "../../live/hub.ts";
import { retryTransient } from "../../store/postgres/transient-errors.ts";
import type { TaskView } from "../../store/tasks/tasks.ts";
import { msFromDuration } from "../../task/duration.ts";
import { isFinal } from "../../task/status.ts";
import type { Call } from "../call.ts";
import { parseTaskName, type TaskName } from "../names.ts";
import { taskMessage } from "./messages.ts";
import { type WaitsDeps, waitsOf } from "./waiting-for.ts";

export interface WaitForEndDeps {
  hub: Pick<Hub, "subscribe">;
  getTask(name: TaskName): Promise<TaskView>;
}

export interface WaitTaskDeps extends WaitForEndDeps, WaitsDeps {}

/** Shorter than the 60 seconds after which nginx and other proxies give up a response by default. */
const DEFAULT_TIMEOUT_MS = 50_000;

export async function waitTask(
  deps: WaitTaskDeps,
  request: WaitTaskRequest,
  call: Pick<Call, "observe">,
): Promise<WaitTaskResponse> {
  using observation = call.observe();
  const timeoutMs = msFromDuration(request.timeout) ?? DEFAULT_TIMEOUT_MS;
  const task = await waitForEnd(deps, parseTaskName(request.name), timeoutMs, observation.signal);
  const waits = await waitsOf(deps, [task]);
  return create(WaitTaskResponseSchema, { task: taskMessage(task, waits.get(task.id)) });
}

/**
 * Resolves with the task when it has ended, or as it is after `timeoutMs` milliseconds. Sleeps until the hub tells of a change
 * other than lines, so a call that waits costs no more than a watcher without events.
 * @throws the signal's reason; Failure not_found if there is no such task.
 */
export async function waitForEnd(
  deps: WaitForEndDeps,
  name: TaskName,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<TaskView> {
  const until = performance.now() + timeoutMs;
  const read = () =>
    retryTransient(
      () => deps.getTask(name),
      signal,
      (error) => {
        if (performance.now() >= until) throw error;
      },
    );
  const first = await read();
  if (isFinal(first.status)) return first;
  using subscription = deps.hub.subscribe(first.id);
  for (;;) {
    subscription.rest();
    const task = await read();
    if (isFinal(task.status) || performance.now() >= until) return task;
    while (!subscription.isBehind(Number.POSITIVE_INFINITY) && performance.now() < until) {
      signal.throwIfAborted();
      await subscription.changed(until - performance.now(), signal);
    }
  }
}
