import { create } from "@bufbuild/protobuf";
import {
  type ListTasksRequest,
  type ListTasksResponse,
  ListTasksResponseSchema,
} from "../../gen/signalman/v1/task_service_pb.ts";
import type { TaskQuery, TaskView } from "../store/tasks.ts";
import { taskMessage } from "./messages.ts";
import { parseResourceName } from "./names.ts";
import { pageSize, pageToken, readPageToken } from "./page-token.ts";
import { patternOf } from "./rules/names.ts";
import { parseTaskFilter } from "./task-filter.ts";

export interface ListTasksDeps {
  /** @throws Failure not_found if there is no such project. */
  listTasks(query: TaskQuery): Promise<TaskView[]>;
}

const TASK_ID = patternOf("{uuid}");

export async function listTasks(deps: ListTasksDeps, request: ListTasksRequest): Promise<ListTasksResponse> {
  const { project } = parseResourceName(request.parent);
  const query = [request.parent, request.filter];
  const limit = pageSize(request.pageSize);
  const before = readPageToken(request.pageToken, query, TASK_ID);
  const rows = await deps.listTasks({
    project: project === "-" ? null : project,
    terms: parseTaskFilter(request.filter),
    before: before || null,
    limit: limit + 1,
  });
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return create(ListTasksResponseSchema, {
    tasks: page.map(taskMessage),
    nextPageToken: last ? pageToken(last.id, query) : "",
  });
}
