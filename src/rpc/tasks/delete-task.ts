import { create } from "@bufbuild/protobuf";
import {
  type DeleteTaskRequest,
  type DeleteTaskResponse,
  DeleteTaskResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import type { NamedTask, OperatorLog } from "../../task/operator-log.ts";
import { type Call, whoOf } from "../call.ts";
import { parseTaskName, type TaskName } from "../names.ts";

export interface DeleteTaskDeps {
  /** @throws Failure not_found, or precondition while it has not ended. */
  deleteTask(task: TaskName): Promise<NamedTask>;
  operatorLog: Pick<OperatorLog, "step">;
  /** It is gone. */
  onChanged(taskId: string): void;
}

export async function deleteTask(
  deps: DeleteTaskDeps,
  request: DeleteTaskRequest,
  call: Call,
): Promise<DeleteTaskResponse> {
  const task = await deps.deleteTask(parseTaskName(request.name));
  deps.operatorLog.step("deleted", task, whoOf(call));
  deps.onChanged(task.id);
  return create(DeleteTaskResponseSchema);
}
