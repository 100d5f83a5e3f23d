import { decompress } from "../../logs/compress.ts";
import { filterChunk, type LineFilter } from "../../logs/filter.ts";
import type { LogStreamName } from "../../logs/types.ts";
import type { StoredChunk } from "../../store/logs/logs.ts";

export interface LogStore {
  readChunks(
    taskId: string,
    fromSeq: number,
    toSeq: number,
    limit: number,
  ): Promise<Pick<StoredChunk, "firstSeq" | "lastSeq" | "counts" | "data">[]>;
  findTail(
    taskId: string,
    lines: number,
    streams: readonly LogStreamName[],
  ): Promise<{ firstSeq: number; skip: number } | undefined>;
}

/** Part of a log. The reader owns `data`. `to`: last line number read so far, also if no line matched the filter. */
export type LogPiece =
  | { kind: "lines"; data: Buffer; to: number }
  | { kind: "none"; to: number }
  | { kind: "gap"; from: number; to: number };

/** Stored bytes that a query should return: a few large chunks, or many well compressed ones. */
const READ_BYTES = 256 * 1024;
const CHUNKS_A_READ = 32;

/** Size and timing of a reader's queries. */
export interface ReadPace {
  /** Number of chunks in the first query, before their size is known. */
  first: number;
  /** Whether the next query runs while the chunks of the previous one are sent. */
  ahead: boolean;
}

/** Pace of readers that read to the end. */
const STEADY: ReadPace = { first: 4, ahead: true };
export const ALL: ReadonlySet<LogStreamName> = new Set(["stdout", "stderr", "system"]);

/** Yields the stored lines after `afterSeq` up to `toSeq`, both committed, so that missing lines were removed (a gap). */
export async function* readPieces(
  store: Pick<LogStore, "readChunks">,
  taskId: string,
  range: { afterSeq: number; toSeq: number },
  streams: ReadonlySet<LogStreamName>,
  pace: ReadPace = STEADY,
): AsyncGenerator<LogPiece> {
  let at = range.afterSeq;
  const read = (seq: number, count: number) => {
    if (seq >= range.toSeq) return undefined;
    const reading = store.readChunks(taskId, seq + 1, range.toSeq, count);
    // The error is thrown where the query is awaited; if the reader stops before that, it must not be unhandled.
    reading.catch(() => {});
    return reading;
  };
  for (let reading = read(at, pace.first); reading; ) {
    const chunks = await reading;
    const readOn = () => read(chunks.at(-1)?.lastSeq ?? range.toSeq, countAfter(chunks));
    reading = pace.ahead ? readOn() : undefined;
    for (const chunk of chunks) {
      if (chunk.firstSeq > at + 1) yield { kind: "gap", from: at + 1, to: chunk.firstSeq - 1 };
      yield pieceOf(chunk, at, streams);
      at = chunk.lastSeq;
    }
    if (chunks.length === 0) {
      yield { kind: "gap", from: at + 1, to: range.toSeq };
      return;
    }
    if (!pace.ahead) reading = readOn();
  }
}

/** Returns the number of chunks for the next query, from the size of these. Not used after an empty result. */
function countAfter(chunks: readonly { data: Buffer }[]): number {
  const bytes = chunks.reduce((sum, { data }) => sum + data.length, 0);
  const count = Math.round((READ_BYTES * chunks.length) / bytes);
  return Math.min(Math.max(count, 1), CHUNKS_A_READ);
}

function pieceOf(
  chunk: Pick<StoredChunk, "firstSeq" | "lastSeq" | "counts" | "data">,
  afterSeq: number,
  streams: ReadonlySet<LogStreamName>,
): LogPiece {
  const to = chunk.lastSeq;
  const wanted = [...streams].some((stream) => chunk.counts[stream] > 0);
  if (!wanted) return { kind: "none", to };
  const data = decompress(chunk.data);
  const filter: LineFilter = { afterSeq, streams };
  const isWhole = streams.size === ALL.size && afterSeq < chunk.firstSeq;
  const lines = isWhole ? { data } : filterChunk(data, filter);
  return lines ? { kind: "lines", data: lines.data, to } : { kind: "none", to };
}

/** Returns the line number before the last `lines` stored lines of these streams; 0: there are no such lines. */
export async function tailStart(
  store: LogStore,
  taskId: string,
  lines: number,
  streams: ReadonlySet<LogStreamName>,
): Promise<number> {
  const tail = await store.findTail(taskId, lines, [...streams]);
  if (!tail) return 0;
  const [chunk] = await store.readChunks(taskId, tail.firstSeq, tail.firstSeq, 1);
  if (!chunk) return tail.firstSeq - 1;
  const data = decompress(chunk.data);
  const matching = filterChunk(data, { streams });
  const rest = filterChunk(data, { streams, last: (matching?.count ?? 0) - tail.skip });
  return (rest?.firstSeq ?? tail.firstSeq) - 1;
}
