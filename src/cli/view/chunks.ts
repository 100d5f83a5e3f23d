import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { LogLine, LogStream } from "../../../gen/signalman/v1/task_pb.ts";

const NEWLINE = Uint8Array.of(10);

export interface StreamChunk {
  stream: LogStream;
  data: Buffer;
}

/**
 * Turns log lines back into the bytes that the program wrote, with a newline after each line that had one. Adjacent lines of
 * one stream are joined. `timestamps`: each line begins with its time; later pieces of a line have none.
 */
export function createChunker({ timestamps = false } = {}): (lines: readonly LogLine[]) => StreamChunk[] {
  /** Streams whose last line is not complete yet. */
  const open = new Set<LogStream>();
  return (lines) => {
    const chunks: { stream: LogStream; parts: Uint8Array[] }[] = [];
    for (const { stream, content, partial, time } of lines) {
      let last = chunks.at(-1);
      if (last?.stream !== stream) {
        last = { stream, parts: [] };
        chunks.push(last);
      }
      if (timestamps && !open.has(stream)) last.parts.push(stamp(time));
      last.parts.push(content);
      if (partial) open.add(stream);
      else {
        last.parts.push(NEWLINE);
        open.delete(stream);
      }
    }
    return chunks.map(({ stream, parts }) => ({ stream, data: Buffer.concat(parts) }));
  };
}

/** Time before a line: `2026-11-30T22:10:01.123Z `. */
function stamp(time: Timestamp | undefined): Buffer {
  return Buffer.from(time ? `${timestampDate(time).toISOString()} ` : "");
}
