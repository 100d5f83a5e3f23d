import { create } from "@bufbuild/protobuf";
import {
  type DeleteTaskRequest,
  type DeleteTaskResponse,
  DeleteTaskResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import type { Actor } from "../../task/caller.ts";
import type { NamedTask, OperatorLog } from "../../telemetry/operator-log.ts";
import { type Call, callFields } from "../call.ts";
import { parseTaskName, type TaskName } from "../names.ts";

export interface DeleteTaskDeps {
  /** @throws Failure not_found; precondition if the task has not ended. */
  deleteTask(task: TaskName, actor: Actor): Promise<NamedTask>;
  operatorLog: Pick<OperatorLog, "step">;
  /** Called after the deletion. */
  onChanged(taskId: string): void;
}

export async function deleteTask(
  deps: DeleteTaskDeps,
  request: DeleteTaskRequest,
  call: Call,
): Promise<DeleteTaskResponse> {
  const task = await deps.deleteTask(parseTaskName(request.name), call.actor);
  deps.operatorLog.step("deleted", task, callFields(call));
  deps.onChanged(task.id);
  return create(DeleteTaskResponseSchema);
}
