import { create, fromJson, type JsonObject } from "@bufbuild/protobuf";
import { TaskResultSchema } from "../../../gen/signalman/v1/task_pb.ts";
import {
  type GetTaskResultRequest,
  type GetTaskResultResponse,
  GetTaskResultResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import { parseTaskName } from "../names.ts";

export interface GetTaskResultDeps {
  /** Returns the proto3 JSON of a TaskResult; null: there is none. @throws Failure not_found if there is no such task. */
  readResult(project: string, id: string): Promise<JsonObject | null>;
}

export async function getTaskResult(
  deps: GetTaskResultDeps,
  request: GetTaskResultRequest,
): Promise<GetTaskResultResponse> {
  const { project, id } = parseTaskName(request.name);
  const stored = await deps.readResult(project, id);
  return create(GetTaskResultResponseSchema, {
    result: stored ? fromJson(TaskResultSchema, stored) : undefined,
  });
}
