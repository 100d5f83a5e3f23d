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

/** What a reader gets; `data` is its own. `to` is how far it has read then, also if none of the lines matched. */
export type LogPiece =
  | { kind: "lines"; data: Buffer; to: number }
  | { kind: "none"; to: number }
  | { kind: "gap"; from: number; to: number };

/** What a query is to bring, as it is stored: a few large chunks, or many that compressed well. */
const READ_BYTES = 256 * 1024;
const CHUNKS_A_READ = 32;

/** How a reader's queries follow each other. */
export interface ReadPace {
  /** Number of chunks in the first query, before their size is known. */
  first: number;
  /** The next query runs while the chunks of the last one are sent. */
  ahead: boolean;
}

/** For readers that go on to the end. */
const STEADY: ReadPace = { first: 4, ahead: true };
export const ALL: ReadonlySet<LogStreamName> = new Set(["stdout", "stderr", "system"]);

/** Stored lines after `afterSeq` up to `toSeq`, which are committed: what is missing is gone. */
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
    // Heard when it is waited for; nobody does if the reader goes away first.
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

/** How many chunks to ask for after these; behind none, nothing is read. */
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

/** The number after which the last `lines` lines of these streams begin, among those up to now. */
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
