import { create } from "@bufbuild/protobuf";
import {
  KillOutcome,
  type KillTasksRequest,
  type KillTasksResponse,
  KillTasksResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import type { Killed, KillRequest } from "../../store/tasks/kills.ts";
import type { Call } from "../call.ts";
import { parseResourceName, taskName } from "../names.ts";
import { type KillTaskDeps, killRequestOf, logKill, nodeName } from "./kill-task.ts";

export interface KillTasksDeps extends Pick<KillTaskDeps, "onChanged" | "operatorLog"> {
  /** Returns the tasks that had not ended, running ones first. @throws Failure not_found if there is no such project. */
  killTemplate(template: { project: string; name: string }, request: KillRequest): Promise<Killed[]>;
}

/** Maximum number of tasks in a response; more would exceed the message size that some clients accept. */
const MOST_NAMED = 10_000;

export async function killTasks(
  deps: KillTasksDeps,
  request: KillTasksRequest,
  call: Call,
): Promise<KillTasksResponse> {
  const template = parseResourceName(request.template);
  const killed = await deps.killTemplate(template, killRequestOf(request, call));
  for (const { id, outcome } of killed) {
    if (outcome === "ALREADY_FINAL") continue;
    const task = { id, project: template.project, template: template.name };
    logKill(deps.operatorLog, task, { outcome, request, call });
    deps.onChanged(id);
  }
  return create(KillTasksResponseSchema, {
    tasks: killed.slice(0, MOST_NAMED).map(({ id, outcome, awayNode }) => ({
      name: taskName({ project: template.project, id }),
      outcome: KillOutcome[outcome],
      awayNode: nodeName(awayNode),
    })),
    total: killed.length,
  });
}
