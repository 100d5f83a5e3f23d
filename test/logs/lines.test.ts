import { expect, test } from "vitest";
import { Matcher } from "../../src/logs/matcher.ts";
import { patternsOf } from "../../src/logs/secret-patterns.ts";
import { takeLines } from "../../src/logs/split.ts";
import { InputStream } from "../../src/logs/stream.ts";
import type { Chunk } from "../../src/logs/types.ts";
import { endOf, joined, linesOf, memorySink, open } from "./support.ts";

async function linesFor(text: string | Buffer, secrets: string[] = []) {
  const sink = memorySink();
  const log = open(sink, { secrets });
  await log.write("stdout", Buffer.from(text), 0);
  return linesOf(await endOf(log, sink));
}
const brief = (lines: Awaited<ReturnType<typeof linesFor>>) =>
  lines.map((l) => [l.content.length, l.partial]);

test("a line of exactly 16 KiB is whole, one byte more makes two pieces", async () => {
  const long = "x".repeat(16_384);
  expect(brief(await linesFor(`${long}\n`))).toEqual([[16_384, false]]);
  expect(brief(await linesFor(`${long}y\n`))).toEqual([
    [16_384, true],
    [1, false],
  ]);
});

test("output that ends without a newline ends in a partial line, output that ends with one does not", async () => {
  expect(brief(await linesFor("a\nbc"))).toEqual([
    [1, false],
    [2, true],
  ]);
  expect(brief(await linesFor("a\n"))).toEqual([[1, false]]);
  expect(await linesFor("")).toEqual([]);
});

test("64 MB without a newline pass in pieces of 16 KiB", async () => {
  let bytes = 0;
  let longest = 0;
  const count = (chunk: Chunk) => {
    for (const line of linesOf([chunk])) {
      bytes += line.content.length;
      longest = Math.max(longest, line.content.length);
    }
  };
  const log = open({ store: async (chunk) => count(chunk) });
  const block = Buffer.alloc(1 << 20, "z");
  for (let i = 0; i < 64; i++) await log.write("stdout", block, i * block.length);
  count((await log.end()) as Chunk);
  expect(bytes).toBe(64 << 20);
  expect(longest).toBe(16_384);
});

test("a stream keeps no more than a slice and an unfinished line, whatever is written", async () => {
  const stream = new InputStream("stdout", 0, () => {});
  const matcher = new Matcher(["aa", "b".repeat(100_000)].flatMap(patternsOf));
  for (const byte of ["z", "a", "b", "\n"]) {
    stream.accept(Buffer.alloc(1 << 20, byte), 0);
    while (stream.advance(matcher)) takeLines(stream.window, () => true);
    expect(stream.window.bytes.length).toBeLessThan(200_000);
  }
  stream.stop();
});

test("a mask is never cut by the end of a piece", async () => {
  for (let before = 16_380; before <= 16_385; before++) {
    const text = `${"x".repeat(before)}hunter2${"y".repeat(20_000)}\n`;
    const lines = await linesFor(text, ["hunter2"]);
    expect(joined(lines, "stdout").toString()).toBe(text.replace("hunter2", "***"));
    expect(lines.filter((line) => line.content.includes("***"))).toHaveLength(1);
    expect(lines.every((line) => line.content.length <= 16_384)).toBe(true);
  }
});

test("our own lines are split at newlines, redacted, and numbered among the others", async () => {
  const sink = memorySink();
  const log = open(sink, { secrets: ["hunter2"] });
  await log.write("stdout", Buffer.from("out\nunfinished"), 0);
  log.say("password is hunter2\nsecond\n");
  await log.write("stdout", Buffer.from(" line\n"), 14);
  log.say("");
  const lines = linesOf(await endOf(log, sink));
  expect(lines.map((line) => [line.seq, line.stream, line.content.toString()])).toEqual([
    [1, "stdout", "out"],
    [2, "system", "password is ***"],
    [3, "system", "second"],
    [4, "stdout", "unfinished line"],
    [5, "system", ""],
  ]);
  expect(log.lastSeq).toBe(5);
});

test("misuse is an error that says what was expected", async () => {
  const log = open(memorySink(), { offsets: { stdout: 7, stderr: 0 } });
  expect(() => log.write("stdout", Buffer.from("x"), 8)).toThrow("Cannot write stdout from 8: expected 7");
  await log.end();
  expect(() => log.write("stdout", Buffer.from("x"), 7)).toThrow("has ended");
  expect(() => log.say("x")).toThrow("has ended");
});
