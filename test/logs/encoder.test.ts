import { fromBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { LogBatchSchema, LogStream } from "../../gen/signalman/v1/task_pb.ts";
import { endOf, memorySink, open } from "./support.ts";

test("a chunk is a LogBatch of the contract", async () => {
  const sink = memorySink();
  const log = open(sink, { lastSeq: 41, now: () => 1_700_000_000_123 });
  log.say("begun");
  await log.write("stdout", Buffer.from("one\r\n\ntw"), 0);
  await log.write("stderr", Buffer.from([0xff, 0, 0x0a]), 0);
  const batches = (await endOf(log, sink)).map((chunk) => fromBinary(LogBatchSchema, chunk.data));
  expect(batches[0]?.firstSeq).toBe(42n);
  const lines = batches.flatMap((batch) => batch.lines);
  const shown = lines.map((l) => [
    Number(l.seq),
    l.stream,
    Buffer.from(l.content).toString("latin1"),
    l.partial,
  ]);
  expect(shown).toEqual([
    [42, LogStream.SYSTEM, "begun", false],
    [43, LogStream.STDOUT, "one\r", false],
    [44, LogStream.STDOUT, "", false],
    [45, LogStream.STDERR, "\xff\0", false],
    [46, LogStream.STDOUT, "tw", true],
  ]);
  expect(lines.every((line) => line.time && timestampMs(line.time) === 1_700_000_000_123)).toBe(true);
});

test("a chunk that is kept holds no memory beyond its data", async () => {
  const sink = memorySink();
  const log = open(sink);
  await log.write("stdout", Buffer.from("one\n"), 0);
  const chunks = await endOf(log, sink);
  expect(chunks.map(({ data }) => data.buffer.byteLength)).toEqual(chunks.map(({ data }) => data.length));
});

test.each([
  1,
  127,
  128,
  16_383,
  16_384,
  2 ** 21 - 1,
  2 ** 28 - 1,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 35,
  2 ** 52,
])("line number %d is encoded as protobuf has it", async (seq) => {
  const log = open(memorySink(), { lastSeq: seq - 1, depth: 0 });
  await log.write("stdout", Buffer.from("a\nb\n"), 0);
  const chunk = await log.end();
  const batch = fromBinary(LogBatchSchema, chunk?.data as Buffer);
  expect([batch.firstSeq, ...batch.lines.map((line) => line.seq)]).toEqual([seq, seq, seq + 1].map(BigInt));
  expect(chunk).toMatchObject({
    firstSeq: seq,
    lastSeq: seq + 1,
    counts: { stdout: 2, stderr: 0, system: 0 },
  });
});

test("first_seq is the first field, so that a chunk can be placed without decoding it", async () => {
  const log = open(memorySink(), { depth: 0 });
  log.say("x");
  const chunk = await log.end();
  expect([...(chunk?.data.subarray(0, 2) ?? [])]).toEqual([0x08, 1]);
});

test("a chunk has 64 KiB at most, and chunks of a large log are nearly full", async () => {
  const sink = memorySink();
  const log = open(sink);
  const line = Buffer.from(`${"x".repeat(99)}\n`);
  await log.write("stdout", Buffer.concat(Array(20_000).fill(line)), 0);
  const sizes = (await endOf(log, sink)).map((chunk) => chunk.data.length);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(65_536);
  expect(sizes.slice(1, -1).every((size) => size > 65_000)).toBe(true);
});
