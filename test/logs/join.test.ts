import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { LogBatchSchema } from "../../gen/signalman/v1/task_pb.ts";
import { CHUNK_BYTES } from "../../src/logs/encoder.ts";
import { filterChunk } from "../../src/logs/filter.ts";
import { joinBatches } from "../../src/logs/join.ts";
import { decodeChunk } from "../../src/logs/read.ts";
import { endOf, linesOf, memorySink, open } from "./support.ts";

const decodeBatch = (data: Buffer) => fromBinary(LogBatchSchema, data);

/** A log in chunks of so many lines each, from number `firstSeq` on. */
async function chunksOf(firstSeq: number, ...counts: number[]): Promise<Buffer[]> {
  let lastSeq = firstSeq - 1;
  const chunks: Buffer[] = [];
  for (const count of counts) {
    const log = open(memorySink(), { depth: 0, lastSeq });
    for (let i = 1; i <= count; i++) log.say(`line ${lastSeq + i}`);
    chunks.push((await log.end())?.data as Buffer);
    lastSeq += count;
  }
  return chunks;
}

test.each([
  [1, [1, 1, 1]],
  [1, [126, 1, 200, 1]],
  [16_380, [2, 3, 1000]],
  [2 ** 35 - 2, [1, 2, 3]],
])("batches from line %d on, of %j lines, are one batch of the same lines", async (firstSeq, counts) => {
  const parts = await chunksOf(firstSeq, ...counts);
  const whole = joinBatches(parts);
  expect(decodeChunk(whole)).toEqual(parts.flatMap(decodeChunk));
  const { lines, ...head } = decodeBatch(whole);
  expect(head.firstSeq).toBe(BigInt(firstSeq));
  expect(lines).toEqual(parts.flatMap((part) => decodeBatch(part).lines));
  // As protobuf itself writes it, byte for byte.
  expect(whole.equals(toBinary(LogBatchSchema, decodeBatch(whole)))).toBe(true);
});

test("whole chunks are joined as they are, and so is what a filter has left of some", async () => {
  const sink = memorySink();
  const log = open(sink);
  const text = Buffer.from(`${"o".repeat(80)}\n${"e".repeat(9000)}\n`.repeat(40));
  await log.write("stdout", text, 0);
  await log.write("stderr", text, 0);
  const chunks = await endOf(log, sink);
  expect(Math.max(...chunks.map(({ data }) => data.length))).toBeGreaterThan(CHUNK_BYTES - 10_000);
  expect(decodeChunk(joinBatches(chunks.map(({ data }) => data)))).toEqual(linesOf(chunks));
  const left = chunks.flatMap(
    ({ data }) => filterChunk(data, { streams: new Set(["stderr"] as const) })?.data ?? [],
  );
  expect(left.length).toBeGreaterThan(1);
  expect(decodeChunk(joinBatches(left))).toEqual(linesOf(chunks).filter(({ stream }) => stream === "stderr"));
});

test("a single batch is itself, not a copy, one without lines adds none, and none are none", async () => {
  const [one] = (await chunksOf(7, 2)) as [Buffer];
  expect(joinBatches([one])).toBe(one);
  const empty = Buffer.from(toBinary(LogBatchSchema, create(LogBatchSchema, { firstSeq: 9n })));
  expect(joinBatches([one, empty]).equals(one)).toBe(true);
  expect(joinBatches([])).toHaveLength(0);
});

test("what does not begin with first_seq is refused, not joined", async () => {
  const [one, two] = (await chunksOf(1, 1, 1)) as [Buffer, Buffer];
  for (const broken of [two.subarray(2), two.subarray(0, 1), Buffer.alloc(0)])
    expect(() => joinBatches([one, broken])).toThrow(RangeError);
});
