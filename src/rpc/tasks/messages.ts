import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema, timestampFromDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  EndReason,
  KillRequestSchema,
  LogStream,
  type StatusChange,
  StatusChangeSchema,
  type Task,
  type TaskEnd,
  TaskEndSchema,
  TaskPlanSchema,
  TaskSchema,
  TaskStatus,
  type WaitingFor,
} from "../../../gen/signalman/v1/task_pb.ts";
import type { LogStreamName } from "../../logs/types.ts";
import type { TaskView } from "../../store/tasks/tasks.ts";
import { paramsOf } from "../../submission/params.ts";
import { isFinal, type Status } from "../../task/status.ts";
import type { StatusEvent } from "../../task/types.ts";
import { resourceName, taskName } from "../names.ts";

/** Converts a stored task to the protobuf message Task. A TaskView holds no secret values. `waitingFor`: why it waits. */
export function taskMessage(task: TaskView, waitingFor?: WaitingFor): Task {
  const { spec } = task;
  return create(TaskSchema, {
    name: taskName(task),
    template: resourceName("templates", task.project, task.template),
    app: task.app,
    status: TaskStatus[task.status],
    priority: task.priority,
    message: spec.message,
    labels: task.labels,
    variables: spec.variables,
    env: spec.env,
    secretVariableNames: spec.secretNames,
    arguments: spec.arguments,
    gitBranch: spec.gitBranch,
    commit: spec.commit,
    commitHash: task.commitHash,
    commitMessage: task.commitMessage,
    createTime: timestampFromDate(task.createTime),
    startTime: task.startTime ? timestampFromDate(task.startTime) : undefined,
    end: endMessage(task),
    lastSeq: BigInt(task.lastSeq),
    queueTimeout: durationFromMs(spec.queueTimeoutMs),
    runTimeout: durationFromMs(spec.runTimeoutMs),
    idleTimeout: durationFromMs(spec.idleTimeoutMs),
    confirmTimeout: durationFromMs(spec.confirmTimeoutMs),
    inventory: spec.inventory ? resourceName("inventories", task.project, spec.inventory) : "",
    params: paramsOf(spec),
    version: task.version,
    buildTask: task.buildTask ? taskName({ project: task.project, id: task.buildTask }) : "",
    incomingVersion: task.incomingVersion,
    plan: planMessage(task),
    kill: killMessage(task),
    node: task.node ?? "",
    createdBy: task.createdBy,
    waitingFor,
  });
}

function endMessage(task: TaskView): TaskEnd | undefined {
  if (!task.endTime) return undefined;
  return create(TaskEndSchema, {
    time: timestampFromDate(task.endTime),
    exitCode: task.exitCode ?? undefined,
    signal: task.signal ?? "",
    reason: task.endReason ? EndReason[task.endReason] : EndReason.UNSPECIFIED,
    message: task.endMessage,
  });
}

function planMessage({ plan, confirmDeadline, decidedBy }: TaskView) {
  if (!plan) return undefined;
  return create(TaskPlanSchema, {
    ...plan,
    confirmDeadline: confirmDeadline ? timestampFromDate(confirmDeadline) : undefined,
    decidedBy,
  });
}

function killMessage(task: TaskView) {
  if (!task.killTime) return undefined;
  return create(KillRequestSchema, {
    time: timestampFromDate(task.killTime),
    force: task.killForce,
    deadline: task.killDeadline ? timestampFromDate(task.killDeadline) : undefined,
    reason: task.killReason,
    by: task.killBy,
  });
}

/** Returns the message of a status event. `task` is needed for a final status, whose end it holds. */
export function statusMessage(event: StatusEvent, task: TaskView | undefined): StatusChange {
  return create(StatusChangeSchema, {
    status: TaskStatus[event.status],
    time: timestampFromMs(event.time.getTime()),
    afterSeq: BigInt(event.afterSeq),
    end: task && isFinal(event.status) ? endMessage(task) : undefined,
    message: event.message,
    by: event.by,
  });
}

/** Returns a line number as a JavaScript number, at most the largest exact one; no log has as many lines. */
export function lineNumber(seq: bigint): number {
  return Number(seq > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : seq);
}

export function durationFromMs(ms: number | undefined): Duration | undefined {
  if (ms === undefined) return undefined;
  return create(DurationSchema, { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1e6 });
}

const STREAMS: Record<LogStream, LogStreamName | undefined> = {
  [LogStream.UNSPECIFIED]: undefined,
  [LogStream.STDOUT]: "stdout",
  [LogStream.STDERR]: "stderr",
  [LogStream.SYSTEM]: "system",
};
const ALL_STREAMS: readonly LogStreamName[] = ["stdout", "stderr", "system"];

/** Returns the names of streams; of an empty list all. */
export function streamNames(streams: readonly LogStream[]): readonly LogStreamName[] {
  const named = ALL_STREAMS.filter((name) => streams.some((stream) => STREAMS[stream] === name));
  return named.length > 0 ? named : ALL_STREAMS;
}

export function statusFromWord(word: string): Status | undefined {
  return Object.hasOwn(TaskStatus, word) && word !== "UNSPECIFIED" ? (word as Status) : undefined;
}
