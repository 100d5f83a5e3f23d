import { STREAM_NAMES } from "./stamp.ts";
import type { LogStreamName } from "./types.ts";
import { TAG, WireReader } from "./wire.ts";

/** One line of a chunk. */
export interface StoredLine {
  seq: number;
  /** Milliseconds since 1970; may have a fraction. */
  timeMs: number;
  stream: LogStreamName;
  /** A view of the chunk's bytes. */
  content: Buffer;
  partial: boolean;
}

/**
 * Yields the lines of a chunk's data, one by one.
 * @throws RangeError if the data is broken
 */
export function* iterateLines(data: Buffer): Generator<StoredLine> {
  const reader = new WireReader(data);
  while (reader.at < data.length) {
    const tag = reader.varint();
    if (tag !== TAG.batchLine) reader.skip(tag);
    else yield readLine(reader, data, reader.varint());
  }
}

/** Returns all lines of a chunk's data. */
export function decodeChunk(data: Buffer): StoredLine[] {
  return [...iterateLines(data)];
}

function readLine(reader: WireReader, data: Buffer, size: number): StoredLine {
  const line: StoredLine = {
    seq: 0,
    timeMs: 0,
    stream: "system",
    content: data.subarray(0, 0),
    partial: false,
  };
  const end = reader.at + size;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === TAG.lineSeq) line.seq = reader.varint();
    else if (tag === TAG.lineTime) line.timeMs = readTime(reader, reader.varint());
    else if (tag === TAG.lineStream) line.stream = STREAM_NAMES[reader.varint()] ?? "system";
    else if (tag === TAG.lineContent) line.content = readBytes(reader, data, reader.varint());
    else if (tag === TAG.linePartial) line.partial = reader.varint() !== 0;
    else reader.skip(tag);
  }
  return line;
}

function readBytes(reader: WireReader, data: Buffer, length: number): Buffer {
  const start = reader.at;
  if (start + length > data.length) throw new RangeError("Cannot read a log chunk: it ends inside a line");
  reader.at = start + length;
  return data.subarray(start, start + length);
}

function readTime(reader: WireReader, size: number): number {
  const end = reader.at + size;
  let ms = 0;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === TAG.seconds) ms += reader.varint() * 1000;
    else if (tag === TAG.nanos) ms += reader.varint() / 1e6;
    else reader.skip(tag);
  }
  return ms;
}
