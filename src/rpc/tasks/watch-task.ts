import type { WatchTaskRequest, WatchTaskResponse } from "../../../gen/signalman/v1/task_service_pb.ts";
import { failpoint } from "../../async/failpoint.ts";
import type { Hub, Subscription } from "../../live/hub.ts";
import type { LogStreamName } from "../../logs/types.ts";
import { retryTransient } from "../../store/postgres/transient-errors.ts";
import type { Progress } from "../../store/tasks/progress.ts";
import type { TaskView } from "../../store/tasks/tasks.ts";
import { notFound } from "../../task/errors.ts";
import { isFinal, type Status } from "../../task/status.ts";
import type { StatusEvent } from "../../task/types.ts";
import type { Call } from "../call.ts";
import { parseTaskName, type TaskName, taskName } from "../names.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { ALL, type LogStore, readPieces, tailStart } from "./log-reader.ts";
import { lineNumber, statusMessage, streamNames, taskMessage } from "./messages.ts";
import { type Cursor, decodeToken } from "./resume-token.ts";
import { type WaitsDeps, waitsOf } from "./waiting-for.ts";
import { createEventMaker, type EventMaker } from "./watch-events.ts";

export interface WatchTaskDeps extends LogStore, WaitsDeps {
  hub: Pick<Hub, "subscribe">;
  getTask(name: TaskName): Promise<TaskView>;
  readProgress(taskId: string, afterOrdinal: number): Promise<Progress | undefined>;
}

/** State of one watch: its options and its cursor. */
interface Watch {
  deps: WatchTaskDeps;
  name: TaskName;
  make: EventMaker;
  signal: AbortSignal;
  streams: ReadonlySet<LogStreamName>;
  logs: boolean;
  cursor: Cursor;
  /** Status of the task at the cursor. */
  status: Status;
}

/**
 * Yields the events of a task in the order that the store defines, the same for every watcher. A watcher at the tip takes
 * encoded batches from the hub. A watcher behind it reads the store at its own pace, and every watcher reads statuses there.
 * Returns after `end`, or without `follow` after a heartbeat.
 * @throws the signal's reason; Failure not_found if the task is deleted.
 */
export async function* watchTask(
  deps: WatchTaskDeps,
  request: WatchTaskRequest,
  call: Pick<Call, "signal" | "isJson">,
): AsyncGenerator<WatchTaskResponse> {
  const task = await deps.getTask(parseTaskName(request.name));
  // The id as it is stored, which the hub uses too: a caller may write its digits in upper case.
  const name = { project: task.project, id: task.id };
  const streams = new Set(streamNames(request.streams));
  const cursor = await startOf(deps, request, task, streams);
  const make = createEventMaker(name.id, call.isJson);
  const watch: Watch = {
    deps,
    name,
    make,
    signal: call.signal,
    streams,
    logs: request.logs ?? true,
    cursor,
    status: task.status,
  };
  const waitingFor = async () => (await waitsOf(deps, [{ ...task, status: watch.status }])).get(task.id);
  yield make.event(cursor, { case: "snapshot", value: { task: taskMessage(task, await waitingFor()) } });

  using subscription = deps.hub.subscribe(name.id);
  const heartbeat = startHeartbeat(make, request.heartbeatInterval);
  // A heartbeat is sent also while the database is away.
  const beat = async () =>
    make.event(cursor, {
      case: "heartbeat",
      value: { waitingFor: await waitingFor().catch(() => undefined) },
    });
  for (;;) {
    call.signal.throwIfAborted();
    yield* takeBatches(watch, subscription);
    if (subscription.isBehind(cursor.seq)) {
      subscription.rest();
      if (yield* catchUp(watch)) return;
      if (!(request.follow ?? true)) return yield await beat();
    } else {
      await subscription.changed(heartbeat.leftMs(), call.signal);
    }
    if (heartbeat.leftMs() === 0) yield await beat();
  }
}

async function startOf(
  deps: WatchTaskDeps,
  request: WatchTaskRequest,
  task: TaskView,
  streams: ReadonlySet<LogStreamName>,
): Promise<Cursor> {
  const { start } = request;
  if (start.case === "resumeToken") return decodeToken(task.id, start.value);
  if (start.case === "afterSeq") return { seq: lineNumber(start.value), ordinal: 0 };
  if (start.case !== "tailLines") return { seq: 0, ordinal: 0 };
  const seq = start.value === 0 ? task.lastSeq : await tailStart(deps, task.id, start.value, streams);
  return { seq, ordinal: 0 };
}

/** Yields the batches that the hub has for this cursor, shared with the other watchers at the tip. */
function* takeBatches(
  { cursor, make, logs, streams, signal }: Watch,
  subscription: Subscription,
): Generator<WatchTaskResponse> {
  for (;;) {
    const batch = subscription.batchAfter(cursor.seq);
    signal.throwIfAborted();
    // Statuses that come before these lines are read from the store first.
    if (batch?.events !== cursor.ordinal) return;
    const isWanted = logs && [...streams].some((stream) => batch.counts[stream] > 0);
    // The batch may hold lines of other streams; the store's reader filters them.
    if (isWanted && streams.size < ALL.size) return;
    cursor.seq = batch.lastSeq;
    if (isWanted) yield make.shared(cursor, batch);
  }
}

/** Yields everything in the store after the cursor. Returns true if that included the end of the task. */
async function* catchUp(watch: Watch): AsyncGenerator<WatchTaskResponse, boolean> {
  const { deps, name, cursor, signal, make } = watch;
  const progress = await retryTransient(() => deps.readProgress(name.id, cursor.ordinal), signal);
  // The task was deleted while it was watched.
  if (!progress) throw notFound(taskName(name));
  await failpoint("between-watch-reads");
  for (const event of progress.events) {
    yield* lines(watch, event.afterSeq);
    yield* status(watch, event);
  }
  yield* lines(watch, progress.lastSeq);
  if (!isFinal(progress.status)) return false;
  const task = taskMessage(await retryTransient(() => deps.getTask(name), signal));
  yield make.event(cursor, { case: "end", value: { task, lastSeq: BigInt(progress.lastSeq) } });
  return true;
}

async function* lines(watch: Watch, toSeq: number): AsyncGenerator<WatchTaskResponse> {
  const { deps, name, make, signal, cursor, streams, logs } = watch;
  if (!logs) cursor.seq = Math.max(cursor.seq, toSeq);
  const patient = {
    readChunks: (...args: Parameters<LogStore["readChunks"]>) =>
      retryTransient(() => deps.readChunks(...args), signal),
  };
  for await (const piece of readPieces(patient, name.id, { afterSeq: cursor.seq, toSeq }, streams)) {
    signal.throwIfAborted();
    cursor.seq = piece.to;
    if (piece.kind === "lines") yield make.log(cursor, piece.data);
    if (piece.kind === "gap") {
      const value = {
        fromSeq: BigInt(piece.from),
        toSeq: BigInt(piece.to),
        reason: "these lines were removed by retention or a limit",
      };
      yield make.event(cursor, { case: "gap", value });
    }
  }
}

async function* status(watch: Watch, event: StatusEvent): AsyncGenerator<WatchTaskResponse> {
  const { deps, name, make, cursor, signal } = watch;
  const task = isFinal(event.status) ? await retryTransient(() => deps.getTask(name), signal) : undefined;
  cursor.ordinal = event.ordinal;
  watch.status = event.status;
  yield make.event(cursor, { case: "status", value: statusMessage(event, task) });
}
