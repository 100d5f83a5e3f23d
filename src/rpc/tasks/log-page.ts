import { LineScanner } from "../../logs/scanner.ts";
import type { LogPiece } from "./log-reader.ts";

/**
 * Maximum number of bytes of lines in a response, unless one line is larger. With its other fields the response fits 1 MiB.
 */
const MAX_BYTES = 1024 * 1024 - 64;
const NEWLINE = 0x0a;
/** Tag of the field `lines` of ReadTaskLogResponse; in a stored LogBatch lines have another tag. */
const LINES_TAG = 0x0a;

/** A part of a log, cut from stored bytes. */
export interface LogPage {
  data: Buffer;
  /** Number of the last line in the page; 0: the page is empty. */
  lastSeq: number;
  /** True if the page ends because it is full, so that more lines may follow. */
  isFull: boolean;
}

/** Form of lines in a response. A line never takes more bytes than in storage, so pages are written in place. */
export interface LineForm {
  /** Returns the number of bytes of the line in this form. */
  size(line: LineScanner): number;
  /** Writes the line at offset `to` of `line.data`, where only consumed bytes are overwritten. */
  write(line: LineScanner, to: number): void;
}

/** Bytes as the program wrote them, with a newline after each line that had one. */
export const TEXT: LineForm = {
  size: ({ contentStart, contentEnd, partial }) => contentEnd - contentStart + (partial ? 0 : 1),
  write({ data, contentStart, contentEnd, partial }, to) {
    data.copyWithin(to, contentStart, contentEnd);
    if (!partial) data[to + contentEnd - contentStart] = NEWLINE;
  },
};

/** Encoded lines of a ReadTaskLogResponse. They differ from stored lines by their tag only. */
export const LINES: LineForm = {
  size: ({ start, end }) => end - start,
  write({ data, start }) {
    data[start] = LINES_TAG;
  },
};

interface Room {
  lines: number;
  bytes: number;
}

/** Returns a page of at most `limit` lines and about 1 MiB, but at least one line if there is one. */
export async function takePage(
  pieces: AsyncIterable<LogPiece>,
  limit: number,
  form: LineForm,
): Promise<LogPage> {
  const room: Room = { lines: limit, bytes: MAX_BYTES };
  const parts: Buffer[] = [];
  let lastSeq = 0;
  let isFull = false;
  for await (const piece of pieces) {
    if (piece.kind !== "lines") continue;
    const taken = takePiece(piece.data, room, form);
    parts.push(taken.data);
    lastSeq = taken.lastSeq || lastSeq;
    isFull = taken.isFull;
    if (isFull) break;
  }
  return { data: Buffer.concat(parts), lastSeq, isFull };
}

function takePiece(data: Buffer, room: Room, form: LineForm): LogPage {
  const line = new LineScanner(data);
  let from = -1;
  let to = -1;
  let lastSeq = 0;
  let isFull = false;
  while (line.next()) {
    const size = form.size(line);
    isFull = room.lines === 0 || (room.bytes < MAX_BYTES && size > room.bytes);
    if (isFull) break;
    if (from < 0) from = to = line.start;
    form.write(line, to);
    to += size;
    lastSeq = line.seq;
    room.lines--;
    room.bytes -= size;
  }
  return { data: data.subarray(from, to), lastSeq, isFull };
}
