import { create } from "@bufbuild/protobuf";
import {
  type RejectTaskRequest,
  type RejectTaskResponse,
  RejectTaskResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import type { TaskView } from "../../store/tasks/tasks.ts";
import type { Actor } from "../../task/caller.ts";
import { msSince } from "../../telemetry/operator-log.ts";
import { type Call, callFields } from "../call.ts";
import { parseTaskName, type TaskName } from "../names.ts";
import type { ConfirmTaskDeps } from "./confirm-task.ts";
import { taskMessage } from "./messages.ts";

export interface RejectTaskDeps extends Pick<ConfirmTaskDeps, "onDecided" | "operatorLog"> {
  /** @throws Failure not_found; precondition if no plan waits. */
  rejectPlan(task: TaskName, reason: string, by: string, actor: Actor): Promise<TaskView>;
}

export async function rejectTask(
  deps: RejectTaskDeps,
  request: RejectTaskRequest,
  call: Call,
): Promise<RejectTaskResponse> {
  const { caller, actor } = call;
  const name = parseTaskName(request.name);
  const task = await deps.rejectPlan(name, request.reason, caller.name, actor);
  deps.operatorLog.step("rejected", task, callFields(call));
  deps.operatorLog.step("ended", task, {
    status: task.status,
    reason: task.endReason,
    totalMs: msSince(task.createTime),
  });
  deps.onDecided(task);
  return create(RejectTaskResponseSchema, { task: taskMessage(task) });
}
