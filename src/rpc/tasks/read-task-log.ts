import { create, fromBinary } from "@bufbuild/protobuf";
import {
  LogFormat,
  type ReadTaskLogRequest,
  type ReadTaskLogResponse,
  ReadTaskLogResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import { stripEscapes } from "../../logs/escapes.ts";
import type { TaskView } from "../../store/tasks/tasks.ts";
import { isFinal } from "../../task/status.ts";
import type { Call } from "../call.ts";
import { parseTaskName, type TaskName } from "../names.ts";
import { encodedField, encodedFields } from "./encoded-field.ts";
import { LINES, TEXT, takePage } from "./log-page.ts";
import { ALL, type LogStore, type ReadPace, readPieces, tailStart } from "./log-reader.ts";
import { lineNumber, streamNames } from "./messages.ts";

export interface ReadTaskLogDeps extends LogStore {
  getTask(name: TaskName): Promise<TaskView>;
  /** Late lines of LOST tasks. */
  late: LogStore & { countLines(taskId: string): Promise<number> };
}

const FIELD = ReadTaskLogResponseSchema.field;
const DEFAULT_LINES = 1000;
/** One query reads a whole page: a response holds at most 20 full chunks. */
const PAGE: ReadPace = { first: 20, ahead: false };

export async function readTaskLog(
  deps: ReadTaskLogDeps,
  request: ReadTaskLogRequest,
  call: Pick<Call, "isJson">,
): Promise<ReadTaskLogResponse> {
  const task = await deps.getTask(parseTaskName(request.name));
  const streams = new Set(streamNames(request.streams));
  const { start, late: isLate } = request;
  const [log, lastSeq] = isLate ? [deps.late, await deps.late.countLines(task.id)] : [deps, task.lastSeq];
  const afterSeq =
    start.case === "tailLines"
      ? await tailStart(log, task.id, start.value, streams)
      : lineNumber(start.value ?? 0n);
  const limit = request.maxLines || DEFAULT_LINES;
  // Line numbers have no gaps, so a page of all streams ends at this line at the latest.
  const toSeq = streams.size === ALL.size ? Math.min(lastSeq, afterSeq + limit) : lastSeq;
  const pieces = readPieces(log, task.id, { afterSeq, toSeq }, streams, PAGE);
  const isText = request.format === LogFormat.TEXT || request.format === LogFormat.PLAIN_TEXT;
  const page = await takePage(pieces, limit, isText ? TEXT : LINES);
  const nextAfterSeq = page.isFull ? page.lastSeq : Math.max(afterSeq, toSeq, page.lastSeq);
  const response = create(ReadTaskLogResponseSchema, {
    nextAfterSeq: BigInt(nextAfterSeq),
    lastSeq: BigInt(lastSeq),
    complete: (isLate ? lastSeq > 0 : isFinal(task.status)) && nextAfterSeq >= lastSeq,
  });
  const text = request.format === LogFormat.PLAIN_TEXT ? stripEscapes(page.data) : page.data;
  if (call.isJson && isText) response.text = Uint8Array.from(text);
  else if (call.isJson) response.lines = fromBinary(ReadTaskLogResponseSchema, page.data).lines;
  else if (isText) response.$unknown = encodedField(FIELD.text.number, text);
  else response.$unknown = encodedFields(FIELD.lines.number, page.data);
  return response;
}
