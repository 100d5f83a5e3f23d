import {
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import type { LogLine, TaskResult } from "../../../gen/signalman/v1/task_pb.ts";
import { LogLineSchema, TaskResultSchema } from "../../../gen/signalman/v1/task_pb.ts";
import {
  type WatchTaskResponse,
  WatchTaskResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** DEL, C1 control codes and bidirectional formatting characters, none of which JSON or YAML escapes. */
const MARKS = /[\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;

export const hasMarks = (text: string): boolean => MARKS.test(text);

/** Escapes such characters as `\u009b`, which JSON and double-quoted YAML read back as the same text. */
export function escapeMarks(text: string): string {
  return text.replace(
    new RegExp(MARKS, "g"),
    (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** JSON on one line, safe for a terminal. */
export function stringify(value: JsonValue): string {
  return escapeMarks(JSON.stringify(value));
}

/** A message as proto3 JSON, on one line. */
export function jsonLine<D extends DescMessage>(desc: D, message: MessageShape<D>): string {
  return stringify(toJson(desc, message));
}

/** A log line as proto3 JSON, and `text` beside `content` (base64) if it is UTF-8. */
export function jsonLogLine(line: LogLine): JsonValue {
  return { ...(toJson(LogLineSchema, line) as object), ...textOf(line) };
}

/** Adds the result of a task, if there is one, to the fields of a message in proto3 JSON. */
export function withResult(message: JsonValue, result: TaskResult | undefined): JsonValue {
  return result ? { ...(message as JsonObject), result: toJson(TaskResultSchema, result) } : message;
}

/**
 * An event of a watch as proto3 JSON on one line, its log lines as by `jsonLogLine`. `result`: result of the task, added to
 * an `end`.
 */
export function jsonEvent(event: WatchTaskResponse, result?: TaskResult): string {
  if (event.event.case === "end") {
    const { end, ...rest } = toJson(WatchTaskResponseSchema, event) as JsonObject;
    return stringify({ ...rest, end: withResult(end ?? {}, result) });
  }
  if (event.event.case !== "log") return jsonLine(WatchTaskResponseSchema, event);
  const { firstSeq, lines } = event.event.value;
  return stringify({
    resumeToken: event.resumeToken,
    log: { firstSeq: String(firstSeq), lines: lines.map(jsonLogLine) },
  });
}

function textOf({ content }: LogLine): { text?: string } {
  try {
    return { text: utf8.decode(content) };
  } catch {
    return {};
  }
}
