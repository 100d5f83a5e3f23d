import { create } from "@bufbuild/protobuf";
import {
  type ListTasksRequest,
  type ListTasksResponse,
  ListTasksResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import { scopesOf } from "../../access/rights.ts";
import type { TaskPage, TaskQuery } from "../../store/tasks/task-list.ts";
import type { TaskOrder, TaskPlace } from "../../store/tasks/task-order.ts";
import type { Call } from "../call.ts";
import { parseResourceName } from "../names.ts";
import { pageSize, queryToken, readPageToken } from "../query-token.ts";
import { taskMessage } from "./messages.ts";
import { parseTaskFilter } from "./task-filter.ts";
import { type WaitsDeps, waitsOf } from "./waiting-for.ts";

export interface ListTasksDeps extends WaitsDeps {
  /** @throws Failure not_found if there is no such project. */
  listTasks(query: TaskQuery): Promise<TaskPage>;
}

const NEWEST_FIRST = "create_time desc";
/** Position of a page: microseconds of the ordering time and the UUID of the last task. */
const PLACE = /^\d{1,16} [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export async function listTasks(
  deps: ListTasksDeps,
  request: ListTasksRequest,
  call: Call,
): Promise<ListTasksResponse> {
  const { parent, filter, orderBy } = request;
  const { project } = parseResourceName(parent);
  const query = [parent, filter, orderBy];
  const { tasks, last } = await deps.listTasks({
    scopes: scopesOf(call.caller, "tasks.read"),
    project: project === "-" ? null : project,
    terms: parseTaskFilter(filter),
    order: parseOrder(orderBy || NEWEST_FIRST),
    after: parsePlace(readPageToken(request.pageToken, query, PLACE)),
    limit: pageSize(request.pageSize),
  });
  const waits = await waitsOf(deps, tasks);
  return create(ListTasksResponseSchema, {
    tasks: tasks.map((task) => taskMessage(task, waits.get(task.id))),
    nextPageToken: last ? queryToken(`${last.micros} ${last.id}`, query) : "",
  });
}

/** Parses a valid `order_by`. */
function parseOrder(orderBy: string): TaskOrder {
  const [by, direction] = orderBy.split(" ");
  return { by: by as TaskOrder["by"], isDescending: direction === "desc" };
}

function parsePlace(position: string): TaskPlace | null {
  const [micros, id] = position.split(" ");
  return id === undefined ? null : { micros: Number(micros), id };
}
