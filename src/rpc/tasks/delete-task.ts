import { create } from "@bufbuild/protobuf";
import {
  type DeleteTaskRequest,
  type DeleteTaskResponse,
  DeleteTaskResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import { parseTaskName, type TaskName } from "../names.ts";

export interface DeleteTaskDeps {
  /** @throws Failure not_found, or precondition while it has not ended. */
  deleteTask(task: TaskName): Promise<void>;
  /** It is gone. */
  onChanged(taskId: string): void;
}

export async function deleteTask(
  deps: DeleteTaskDeps,
  request: DeleteTaskRequest,
): Promise<DeleteTaskResponse> {
  const task = parseTaskName(request.name);
  await deps.deleteTask(task);
  deps.onChanged(task.id.toLowerCase());
  return create(DeleteTaskResponseSchema);
}
