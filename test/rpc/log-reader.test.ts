import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LogBatchSchema, type LogStream } from "../../gen/signalman/v1/task_pb.ts";
import { compress } from "../../src/logs/compress.ts";
import { decodeChunk } from "../../src/logs/read.ts";
import { STREAM_NUMBERS } from "../../src/logs/stamp.ts";
import type { LogStreamName } from "../../src/logs/types.ts";
import { ALL, type LogPiece, type LogStore, readPieces, type Wanted } from "../../src/rpc/log-reader.ts";
import { readChunks, storeChunks } from "../../src/store/logs.ts";
import { chunk, openStore, type TestStore } from "../store/fixture.ts";

const CHUNKS = 60;
/** Lines of a chunk: about 48 KiB, of which little is stored. */
const LINES = 3;
const LAST = CHUNKS * LINES;
/** What a filter finds something of in some chunks, and nothing in others. */
const streamOf = (seq: number): LogStreamName => (seq % 15 === 0 || seq % 15 === 3 ? "stderr" : "stdout");

let store: TestStore;
let id: string;
beforeAll(async () => {
  store = await openStore();
  await store.makeProject(["t"]);
  const lease = await store.makeTaskIn("RUNNING");
  id = lease.id;
  for (let first = 1; first <= LAST; first += LINES) {
    const one = storedChunk(first);
    await store.database.run((db) => storeChunks(db, lease, [one]));
  }
});
afterAll(() => store[Symbol.asyncDispose]());

function storedChunk(firstSeq: number) {
  const seqs = Array.from({ length: LINES }, (_, i) => firstSeq + i);
  const lines = seqs.map((seq) => ({
    seq: BigInt(seq),
    stream: STREAM_NUMBERS[streamOf(seq)] as LogStream,
    content: Buffer.from(`line ${seq}`.padEnd(16_000, ".")),
  }));
  const data = toBinary(LogBatchSchema, create(LogBatchSchema, { firstSeq: BigInt(firstSeq), lines }));
  const count = (stream: LogStreamName) => seqs.filter((seq) => streamOf(seq) === stream).length;
  const counts = { stdout: count("stdout"), stderr: count("stderr"), system: 0 };
  return chunk(firstSeq, firstSeq + LINES - 1, { counts, data: compress(Buffer.from(data)) });
}

async function read(afterSeq: number, wanted: Partial<Wanted> = {}): Promise<LogPiece[]> {
  const reads: Pick<LogStore, "readChunks"> = {
    readChunks: (...args) => readChunks(store.database, ...args),
  };
  return Array.fromAsync(
    readPieces(reads, id, { afterSeq, toSeq: LAST }, { streams: ALL, joined: true, ...wanted }),
  );
}

/** The numbers of a piece's lines. */
const seqsOf = (piece: LogPiece) =>
  piece.kind === "lines" ? decodeChunk(piece.data).map(({ seq }) => seq) : [];
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const sizesOf = (pieces: LogPiece[]) =>
  pieces.map((piece) => (piece.kind === "lines" ? piece.data.length : 0));

test.each([0, 1, 2, 3, 4, 13, 100, 178, 179, 180])(
  "chunks after line %d come together, up to 256 KiB, each line once",
  async (afterSeq) => {
    const pieces = await read(afterSeq);
    expect(pieces.flatMap(seqsOf)).toEqual(range(afterSeq + 1, LAST));
    expect(pieces.map((piece) => seqsOf(piece).at(-1))).toEqual(pieces.map(({ to }) => to));
    expect(Math.max(0, ...sizesOf(pieces))).toBeLessThanOrEqual(256 * 1024);
  },
);

test("four or five chunks are a piece", async () => {
  const sizes = sizesOf(await read(0));
  expect(sizes.length).toBeLessThan(CHUNKS / 3);
  expect(sizes.filter((size) => size > 190_000).length).toBeGreaterThanOrEqual(sizes.length - 3);
});

test("not joined, each chunk is a piece", async () => {
  const pieces = await read(0, { joined: false });
  expect(pieces.map(({ to }) => to)).toEqual(range(1, CHUNKS).map((n) => n * LINES));
  expect(pieces.flatMap(seqsOf)).toEqual(range(1, LAST));
});

test.each([true, false])(
  "of some streams, joined %j, come their lines alone, and how far was read",
  async (joined) => {
    for (const afterSeq of [0, 2, 3, 17]) {
      const pieces = await read(afterSeq, { streams: new Set(["stderr"]), joined });
      const wanted = range(afterSeq + 1, LAST).filter((seq) => streamOf(seq) === "stderr");
      expect(pieces.flatMap(seqsOf)).toEqual(wanted);
      expect(pieces.at(-1)?.to).toBe(LAST);
      const ends = pieces.map(({ to }) => to);
      expect(ends).toEqual(ends.toSorted((a, b) => a - b));
      expect(new Set(ends).size).toBe(ends.length);
    }
    expect((await read(0, { streams: new Set(["system"]), joined })).flatMap(seqsOf)).toEqual([]);
  },
);

test.each([
  ["the first lines", 1, 3],
  ["lines that were to come together with others", 7, 9],
  ["many lines", 40, 141],
  ["the last lines", 175, 180],
  ["all lines", 1, 180],
])("%s that are gone are a gap in their place", async (_, from, to) => {
  const gone =
    await store.sql`DELETE FROM log_chunks WHERE first_seq >= ${from} AND last_seq <= ${to} RETURNING *`;
  try {
    for (const joined of [true, false]) {
      const pieces = await read(0, { joined });
      const told = pieces.flatMap((piece) =>
        piece.kind === "gap" ? [`gap ${piece.from}-${piece.to}`] : seqsOf(piece).map(String),
      );
      expect(told).toEqual([
        ...range(1, from - 1).map(String),
        `gap ${from}-${to}`,
        ...range(to + 1, LAST).map(String),
      ]);
    }
  } finally {
    for (const row of gone) await store.sql`INSERT INTO log_chunks ${store.sql(row)}`;
  }
});
