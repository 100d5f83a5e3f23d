import { type LogLine, LogStream } from "../../../gen/signalman/v1/task_pb.ts";

/** Bytes of consecutive lines of one stream. */
export interface Chunk {
  stream: LogStream;
  lines: Uint8Array[];
}

const NEWLINE = Uint8Array.of(10);

/** What the lines were made of: a newline behind each that had one. Neighbours of one stream come as one chunk. */
export function chunksOf(lines: readonly LogLine[]): { stream: LogStream; data: Buffer }[] {
  const chunks: { stream: LogStream; parts: Uint8Array[] }[] = [];
  for (const { stream, content, partial } of lines) {
    let last = chunks.at(-1);
    if (last?.stream !== stream) chunks.push((last = { stream, parts: [] }));
    last.parts.push(content);
    if (!partial) last.parts.push(NEWLINE);
  }
  return chunks.map(({ stream, parts }) => ({ stream, data: Buffer.concat(parts) }));
}
