import { create } from "@bufbuild/protobuf";
import {
  type GetTaskPlanRequest,
  type GetTaskPlanResponse,
  GetTaskPlanResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import { decompress } from "../../logs/compress.ts";
import type { TaskView } from "../../store/tasks/tasks.ts";
import { notFound } from "../../task/errors.ts";
import { parseTaskName, type TaskName } from "../names.ts";
import { taskMessage } from "./messages.ts";

export interface GetTaskPlanDeps {
  getTask(name: TaskName): Promise<TaskView>;
  /** Returns the compressed text of the plan; undefined: the task has none. */
  readPlanText(id: string): Promise<Buffer | undefined>;
}

export async function getTaskPlan(
  deps: GetTaskPlanDeps,
  request: GetTaskPlanRequest,
): Promise<GetTaskPlanResponse> {
  const name = parseTaskName(request.name);
  const { plan } = taskMessage(await deps.getTask(name));
  const text = plan && (await deps.readPlanText(name.id));
  if (!text) throw notFound(`plan of ${request.name}`);
  return create(GetTaskPlanResponseSchema, { plan, text: decompress(text).toString() });
}
