import { create, fromBinary } from "@bufbuild/protobuf";
import { LogBatchSchema, type LogLine } from "../../../gen/signalman/v1/task_pb.ts";
import {
  LogFormat,
  type ReadTaskLogRequest,
  type ReadTaskLogResponse,
  ReadTaskLogResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import { stripEscapes } from "../../logs/escapes.ts";
import type { TaskView } from "../../store/tasks/tasks.ts";
import { isFinal } from "../../task/status.ts";
import { parseTaskName, type TaskName } from "../names.ts";
import { type LogStore, readPieces, tailStart } from "./log-reader.ts";
import { lineNumber, streamNames } from "./messages.ts";

export interface ReadTaskLogDeps extends LogStore {
  getTask(name: TaskName): Promise<TaskView>;
}

const DEFAULT_LINES = 1000;
/** About as much content as one answer holds. */
const MAX_BYTES = 1024 * 1024;

export async function readTaskLog(
  deps: ReadTaskLogDeps,
  request: ReadTaskLogRequest,
): Promise<ReadTaskLogResponse> {
  const task = await deps.getTask(parseTaskName(request.name));
  const streams = new Set(streamNames(request.streams));
  const { start } = request;
  const afterSeq =
    start.case === "tailLines"
      ? await tailStart(deps, task.id, start.value, streams)
      : lineNumber(start.value ?? 0n);
  const limit = request.maxLines || DEFAULT_LINES;
  const { lines, next } = await collect(
    readPieces(deps, task.id, { afterSeq, toSeq: task.lastSeq }, streams),
    limit,
  );
  const nextAfterSeq = next ?? Math.max(afterSeq, task.lastSeq);
  return create(ReadTaskLogResponseSchema, {
    ...contentOf(lines, request.format),
    nextAfterSeq: BigInt(nextAfterSeq),
    lastSeq: BigInt(task.lastSeq),
    complete: isFinal(task.status) && nextAfterSeq >= task.lastSeq,
  });
}

/** `next`: the number of the last line taken, if there are more. */
async function collect(
  pieces: ReturnType<typeof readPieces>,
  limit: number,
): Promise<{ lines: LogLine[]; next?: number }> {
  const lines: LogLine[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    if (piece.kind !== "lines") continue;
    for (const line of fromBinary(LogBatchSchema, piece.data).lines) {
      if (lines.length === limit || (bytes > 0 && bytes + line.content.length > MAX_BYTES)) {
        return { lines, next: Number(lines.at(-1)?.seq) };
      }
      lines.push(line);
      bytes += line.content.length + 1;
    }
  }
  return { lines };
}

function contentOf(
  lines: LogLine[],
  format: LogFormat,
): { lines: LogLine[] } | { text: Uint8Array<ArrayBuffer> } {
  if (format === LogFormat.TEXT) return { text: coalesce(lines) };
  if (format === LogFormat.PLAIN_TEXT)
    return { text: Uint8Array.from(stripEscapes(Buffer.from(coalesce(lines)))) };
  return { lines };
}

/** The bytes as they were written: a newline behind each line that had one. */
function coalesce(lines: LogLine[]): Uint8Array<ArrayBuffer> {
  const newline = Buffer.from("\n");
  return Uint8Array.from(
    Buffer.concat(lines.flatMap(({ content, partial }) => (partial ? [content] : [content, newline]))),
  );
}
