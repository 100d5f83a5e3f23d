import { randomBytes } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { fromBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { LogBatchSchema } from "../../gen/signalman/v1/task_pb.ts";
import { compress, decompress } from "../../src/logs/compress.ts";
import { filterChunk } from "../../src/logs/filter.ts";
import { decodeChunk } from "../../src/logs/read.ts";
import type { LogStreamName } from "../../src/logs/types.ts";
import { memorySink, open } from "./support.ts";

async function sample(): Promise<Buffer> {
  const log = open(memorySink(), { depth: 0, lastSeq: 1000, now: () => 1_700_000_000_500 });
  await log.write("stdout", Buffer.from("o1\no2\n"), 0);
  await log.write("stderr", Buffer.from("e1\n"), 0);
  log.say("s1");
  await log.write("stdout", Buffer.from("o3"), 6);
  return (await log.end())?.data as Buffer;
}
const only = (...names: LogStreamName[]) => new Set(names);
const seqs = (data: Buffer) => fromBinary(LogBatchSchema, data).lines.map((line) => Number(line.seq));

test("a chunk is read back unchanged", async () => {
  const lines = decodeChunk(await sample());
  expect(lines).toMatchObject([
    { seq: 1001, stream: "stdout", partial: false, timeMs: 1_700_000_000_500 },
    { seq: 1002, stream: "stdout" },
    { seq: 1003, stream: "stderr" },
    { seq: 1004, stream: "system" },
    { seq: 1005, stream: "stdout", partial: true },
  ]);
  expect(lines.map((line) => line.content.toString())).toEqual(["o1", "o2", "e1", "s1", "o3"]);
});

test.each([
  [{}, [1001, 1002, 1003, 1004, 1005]],
  [{ afterSeq: 1003 }, [1004, 1005]],
  [{ streams: only("stderr", "system") }, [1003, 1004]],
  [{ streams: only("stdout"), afterSeq: 1001 }, [1002, 1005]],
  [{ streams: only("stdout"), last: 2 }, [1002, 1005]],
  [{ last: 9 }, [1001, 1002, 1003, 1004, 1005]],
])("the filter %o leaves the lines %j", async (filter, wanted) => {
  const found = filterChunk(await sample(), filter);
  expect(found).toMatchObject({ firstSeq: wanted[0], lastSeq: wanted.at(-1), count: wanted.length });
  expect(seqs(found?.data as Buffer)).toEqual(wanted);
  expect(Number(fromBinary(LogBatchSchema, found?.data as Buffer).firstSeq)).toBe(wanted[0]);
});

test("a filter that matches all lines copies nothing, and one that matches none returns undefined", async () => {
  const data = await sample();
  expect(filterChunk(data, { afterSeq: 1000 })?.data).toBe(data);
  expect(filterChunk(data, { afterSeq: 1005 })).toBeUndefined();
  expect(filterChunk(data, { last: 0 })).toBeUndefined();
});

test("broken data is an error, not an endless loop", async () => {
  const data = await sample();
  for (let cut = 3; cut < data.length; cut++) {
    try {
      decodeChunk(data.subarray(0, cut));
      filterChunk(data.subarray(0, cut), { streams: only("stderr") });
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
    }
  }
});

test("compressed data is much smaller and decompresses to the same bytes", () => {
  const data = Buffer.from("the same line again\n".repeat(3000));
  const small = compress(data);
  expect(small.length * 10).toBeLessThan(data.length);
  expect(decompress(small).equals(data)).toBe(true);
  expect(() => decompress(data)).toThrow();
});

test.each([0, 1, 4096, 65 * 1024, 65 * 1024 + 1, 300_000])(
  "%i random bytes decompress to the same bytes",
  (size) => {
    const data = randomBytes(size);
    expect(decompress(compress(data)).equals(data)).toBe(true);
  },
);

test("the memory of decompressed data is freed by the next collection of young objects", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: { type: "minor" }) => void;
  const small = compress(Buffer.alloc(64_000, "a line "));
  const before = process.memoryUsage().arrayBuffers;
  // 32 MB: less memory than triggers a full collection, which would free it anyway.
  for (let i = 0; i < 500; i++) decompress(small);
  for (let i = 0; i < 3; i++) collect({ type: "minor" });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16_000_000);
});
