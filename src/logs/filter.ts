import { LineScanner } from "./scanner.ts";
import { STREAM_NAMES } from "./stamp.ts";
import type { LogStreamName } from "./types.ts";
import { TAG, varintLength, writeVarint } from "./wire.ts";

export interface LineFilter {
  /** Only lines with a greater number. Default: all. */
  afterSeq?: number;
  /** Only lines of these streams. Default: all. */
  streams?: ReadonlySet<LogStreamName>;
  /** Only the last so many of the matching lines. Default: all. */
  last?: number;
}

/** Some lines of a chunk, as a protobuf LogBatch. */
export interface FilteredChunk {
  firstSeq: number;
  lastSeq: number;
  /** Number of lines. */
  count: number;
  data: Buffer;
}

/** Position of an encoded line, its tag included, in a chunk's data. */
interface Found {
  seq: number;
  start: number;
  end: number;
}

/**
 * Returns the matching lines of a chunk's data; undefined if there are none. Lines are copied without decoding; if
 * all match, `data` itself is returned.
 */
export function filterChunk(data: Buffer, filter: LineFilter): FilteredChunk | undefined {
  const { lines, total } = findLines(data, filter);
  const wanted = filter.last === undefined ? lines : lines.slice(Math.max(0, lines.length - filter.last));
  const first = wanted[0];
  const last = wanted.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const chosen = wanted.length === total ? data : copyLines(data, wanted, first.seq);
  return { firstSeq: first.seq, lastSeq: last.seq, count: wanted.length, data: chosen };
}

function findLines(data: Buffer, filter: LineFilter): { lines: Found[]; total: number } {
  const { afterSeq = 0, streams } = filter;
  const scanner = new LineScanner(data);
  const lines: Found[] = [];
  let total = 0;
  while (scanner.next()) {
    total++;
    const { seq, stream, start, end } = scanner;
    if (seq > afterSeq && (streams === undefined || hasStream(streams, stream)))
      lines.push({ seq, start, end });
  }
  return { lines, total };
}

function hasStream(streams: ReadonlySet<LogStreamName>, number: number): boolean {
  const name = STREAM_NAMES[number];
  return name !== undefined && streams.has(name);
}

function copyLines(data: Buffer, lines: readonly Found[], firstSeq: number): Buffer {
  const size = lines.reduce((sum, line) => sum + line.end - line.start, 1 + varintLength(firstSeq));
  const out = Buffer.allocUnsafeSlow(size);
  out[0] = TAG.batchFirstSeq;
  let at = writeVarint(out, 1, firstSeq);
  for (const line of lines) at += data.copy(out, at, line.start, line.end);
  return out;
}
