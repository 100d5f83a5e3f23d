import { create } from "@bufbuild/protobuf";
import {
  type GetTaskRequest,
  type GetTaskResponse,
  GetTaskResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import type { TaskView } from "../../store/tasks/tasks.ts";
import { parseTaskName, type TaskName } from "../names.ts";
import { taskMessage } from "./messages.ts";
import { type WaitsDeps, waitsOf } from "./waiting-for.ts";

export interface GetTaskDeps extends WaitsDeps {
  /** @throws Failure not_found if there is no such task. */
  getTask(name: TaskName): Promise<TaskView>;
}

export async function getTask(deps: GetTaskDeps, request: GetTaskRequest): Promise<GetTaskResponse> {
  const task = await deps.getTask(parseTaskName(request.name));
  const waits = await waitsOf(deps, [task]);
  return create(GetTaskResponseSchema, { task: taskMessage(task, waits.get(task.id)) });
}
