import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { type LogLine, type TaskStatus, TaskStatusSchema } from "../../../gen/signalman/v1/task_pb.ts";
import type { WatchTaskResponse } from "../../../gen/signalman/v1/task_service_pb.ts";
import type { Status } from "../../../src/task/status.ts";
import type { Seen } from "./history.ts";

export const statusOf = (status: TaskStatus | undefined) =>
  (TaskStatusSchema.value[status ?? 0]?.localName ?? "") as Status;

/** Time in milliseconds, with all digits that the wire has, so that it identifies a change of status. */
export const msOf = (time: Timestamp | undefined) =>
  time ? timestampMs(time) + (time.nanos % 1_000_000) / 1_000_000 : 0;

/** Returns what a message of WatchTask tells, as it is recorded; nothing for a snapshot or a heartbeat. */
export function seenIn({ event, resumeToken: token }: WatchTaskResponse): Seen[] {
  switch (event.case) {
    case "log":
      return event.value.lines.map((line) => ({ ...lineOf(line), token }));
    case "status": {
      const { status, time, afterSeq } = event.value;
      return [
        { kind: "status", status: statusOf(status), timeMs: msOf(time), afterSeq: Number(afterSeq), token },
      ];
    }
    case "gap": {
      const { fromSeq, toSeq } = event.value;
      return [{ kind: "gap", fromSeq: Number(fromSeq), toSeq: Number(toSeq), token }];
    }
    case "end": {
      const { task, lastSeq } = event.value;
      return [{ kind: "end", status: statusOf(task?.status), lastSeq: Number(lastSeq), token }];
    }
    default:
      return [];
  }
}

function lineOf({ seq, stream, content, partial }: LogLine) {
  const text = Buffer.from(content).toString("latin1");
  return { kind: "line", seq: Number(seq), stream, text: partial ? text : `${text}\n` } as const;
}
