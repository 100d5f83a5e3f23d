import { create } from "@bufbuild/protobuf";
import {
  type AbandonTaskRequest,
  type AbandonTaskResponse,
  AbandonTaskResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import type { Abandonment } from "../../store/nodes/abandon.ts";
import type { TaskView } from "../../store/tasks/tasks.ts";
import { msSince, type OperatorLog } from "../../telemetry/operator-log.ts";
import { type Call, callFields } from "../call.ts";
import { parseTaskName, type TaskName } from "../names.ts";
import { taskMessage } from "./messages.ts";

export interface AbandonTaskDeps {
  /** @throws Failure not_found; precondition if the task's server is not away. */
  abandonTask(task: TaskName, abandonment: Abandonment): Promise<{ task: TaskView; abandoned: boolean }>;
  operatorLog: Pick<OperatorLog, "step">;
  /** Called after the task was ended, or its template was freed. */
  onChanged(taskId: string): void;
}

export async function abandonTask(
  deps: AbandonTaskDeps,
  { name, reason }: AbandonTaskRequest,
  call: Call,
): Promise<AbandonTaskResponse> {
  const { caller, actor } = call;
  const asked = { reason, by: caller.name, actor };
  const { task, abandoned } = await deps.abandonTask(parseTaskName(name), asked);
  if (abandoned) {
    const { status, endReason } = task;
    deps.operatorLog.step("abandoned", task, { ...callFields(call), lostNode: task.node });
    deps.operatorLog.step("ended", task, { status, reason: endReason, totalMs: msSince(task.createTime) });
    deps.onChanged(task.id);
  }
  return create(AbandonTaskResponseSchema, { task: taskMessage(task), abandoned });
}
