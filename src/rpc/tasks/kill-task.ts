import { create } from "@bufbuild/protobuf";
import {
  KillOutcome,
  type KillTaskRequest,
  type KillTaskResponse,
  KillTaskResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import { failpoint } from "../../async/failpoint.ts";
import { familyOf } from "../../jobs/families/all.ts";
import type { KillRequest, KillOutcome as Outcome } from "../../store/tasks/kills.ts";
import type { TaskView } from "../../store/tasks/tasks.ts";
import { msFromDuration } from "../../task/duration.ts";
import type { NamedTask, OperatorLog } from "../../telemetry/operator-log.ts";
import { type Call, callFields } from "../call.ts";
import { parseTaskName, type TaskName } from "../names.ts";
import { taskMessage } from "./messages.ts";

export interface KillTaskDeps {
  /** `awayNode`: id of the task's node if it is away. */
  requestKill(
    task: TaskName,
    request: KillRequest,
  ): Promise<{ task: TaskView; outcome: Outcome; awayNode?: string | undefined }>;
  operatorLog: Pick<OperatorLog, "step">;
  /** Called after a kill request was stored or a waiting task was stopped. */
  onChanged(taskId: string): void;
}

export async function killTask(
  deps: KillTaskDeps,
  request: KillTaskRequest,
  call: Call,
): Promise<KillTaskResponse> {
  const name = parseTaskName(request.name);
  const { task, outcome, awayNode } = await deps.requestKill(name, killRequestOf(request, call));
  await failpoint("after-kill");
  if (outcome !== "ALREADY_FINAL") {
    logKill(deps.operatorLog, task, { outcome, request, call });
    deps.onChanged(task.id);
  }
  return create(KillTaskResponseSchema, {
    task: taskMessage(task),
    outcome: KillOutcome[outcome],
    awayNode: nodeName(awayNode),
  });
}

/** Returns the full name of a node; empty for none. */
export const nodeName = (id: string | undefined): string => (id === undefined ? "" : `nodes/${id}`);

/** Writes a kill request to the operator's log, and the end of a task that never started, which the request ended. */
export function logKill(
  operatorLog: Pick<OperatorLog, "step">,
  task: NamedTask,
  kill: { outcome: Outcome; request: Pick<KillTaskRequest, "force">; call: Call },
): void {
  const { outcome, call } = kill;
  operatorLog.step("kill requested", task, { ...callFields(call), force: kill.request.force, outcome });
  if (outcome === "KILLED_BEFORE_START")
    operatorLog.step("ended", task, { status: "STOPPED", reason: "STOPPED_BY_USER" });
}

/** Returns the kill request of a call of KillTask or KillTasks. */
export function killRequestOf(
  { force, reason, gracePeriod }: Pick<KillTaskRequest, "force" | "reason" | "gracePeriod">,
  { caller, isOwn, actor }: Pick<Call, "caller" | "isOwn" | "actor">,
): KillRequest {
  const graceMs = (app: string) => msFromDuration(gracePeriod) ?? familyOf(app).graceMs;
  return { force, reason, graceMs, by: caller.name, isOwn, actor };
}
