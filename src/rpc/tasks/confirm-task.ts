import { create } from "@bufbuild/protobuf";
import {
  type ConfirmTaskRequest,
  type ConfirmTaskResponse,
  ConfirmTaskResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import type { TaskView } from "../../store/tasks/tasks.ts";
import type { Actor } from "../../task/caller.ts";
import type { OperatorLog } from "../../telemetry/operator-log.ts";
import { type Call, callFields } from "../call.ts";
import { parseTaskName, type TaskName } from "../names.ts";
import { taskMessage } from "./messages.ts";

export interface ConfirmTaskDeps {
  /** @throws Failure not_found; precondition if no plan waits or the digest is another one. */
  confirmPlan(task: TaskName, digest: string, by: string, actor: Actor): Promise<TaskView>;
  operatorLog: Pick<OperatorLog, "step">;
  /** Called after a plan was confirmed or rejected. */
  onDecided(task: TaskView): void;
}

export async function confirmTask(
  deps: ConfirmTaskDeps,
  request: ConfirmTaskRequest,
  call: Call,
): Promise<ConfirmTaskResponse> {
  const { caller, actor } = call;
  const name = parseTaskName(request.name);
  const task = await deps.confirmPlan(name, request.planDigest, caller.name, actor);
  deps.operatorLog.step("confirmed", task, callFields(call));
  deps.onDecided(task);
  return create(ConfirmTaskResponseSchema, { task: taskMessage(task) });
}
