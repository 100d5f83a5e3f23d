import { LineScanner } from "../../logs/scanner.ts";
import type { LogPiece } from "./log-reader.ts";

/** What an answer holds at most, unless one line is larger: with its other fields it fits 1 MiB. */
const MAX_BYTES = 1024 * 1024 - 64;
const NEWLINE = 0x0a;
/** Tag of ReadTaskLogResponse's field `lines`; in a stored LogBatch the same lines have another one. */
const LINES_TAG = 0x0a;

/** A part of a log, cut from stored bytes. */
export interface LogPage {
  data: Buffer;
  /** Number of the last line in it; 0: there is none. */
  lastSeq: number;
  /** It ends because it is full: more lines may follow. */
  isFull: boolean;
}

/** What stored lines become in an answer: never more bytes than they are. */
export interface LineForm {
  /** Bytes that the line becomes. */
  size(line: LineScanner): number;
  /** Writes the line at `to` in `line.data`, where nothing is that is still needed. */
  write(line: LineScanner, to: number): void;
}

/** The bytes as the program wrote them: a newline behind each line that had one. */
export const TEXT: LineForm = {
  size: ({ contentStart, contentEnd, partial }) => contentEnd - contentStart + (partial ? 0 : 1),
  write({ data, contentStart, contentEnd, partial }, to) {
    data.copyWithin(to, contentStart, contentEnd);
    if (!partial) data[to + contentEnd - contentStart] = NEWLINE;
  },
};

/** Encoded lines of a ReadTaskLogResponse. Stored lines stand one behind the other: only their tags change. */
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

/** At most `limit` lines and about 1 MiB, but one line in any case. */
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
