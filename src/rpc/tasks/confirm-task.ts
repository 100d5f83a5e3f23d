import { create } from "@bufbuild/protobuf";
import {
  type ConfirmTaskRequest,
  type ConfirmTaskResponse,
  ConfirmTaskResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import type { TaskView } from "../../store/tasks/tasks.ts";
import type { Call } from "../call.ts";
import { parseTaskName, type TaskName } from "../names.ts";
import { taskMessage } from "./messages.ts";

export interface ConfirmTaskDeps {
  /** @throws Failure */
  confirmPlan(task: TaskName, digest: string, by: string): Promise<TaskView>;
  /** Somebody has decided on a plan. */
  onDecided(task: TaskView): void;
}

export async function confirmTask(
  deps: ConfirmTaskDeps,
  request: ConfirmTaskRequest,
  { caller }: Call,
): Promise<ConfirmTaskResponse> {
  const task = await deps.confirmPlan(parseTaskName(request.name), request.planDigest, caller.name);
  deps.onDecided(task);
  return create(ConfirmTaskResponseSchema, { task: taskMessage(task) });
}
