import type { LogLine, LogStream } from "../../../gen/signalman/v1/task_pb.ts";

const NEWLINE = Uint8Array.of(10);

/** What the program wrote: a newline behind each line that had one. Neighbours of one stream are joined. */
export function chunksOf(lines: readonly LogLine[]): { stream: LogStream; data: Buffer }[] {
  const chunks: { stream: LogStream; parts: Uint8Array[] }[] = [];
  for (const { stream, content, partial } of lines) {
    let last = chunks.at(-1);
    if (last?.stream !== stream) {
      last = { stream, parts: [] };
      chunks.push(last);
    }
    last.parts.push(content);
    if (!partial) last.parts.push(NEWLINE);
  }
  return chunks.map(({ stream, parts }) => ({ stream, data: Buffer.concat(parts) }));
}
