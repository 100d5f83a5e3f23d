import { isUtf8 } from "node:buffer";
import { expect, test } from "vitest";
import { Matcher } from "../../src/logs/matcher.ts";
import { patternsOf } from "../../src/logs/secret-patterns.ts";
import { type PutLine, takeLines, takePrompt } from "../../src/logs/split.ts";
import { InputStream } from "../../src/logs/stream.ts";
import type { Chunk } from "../../src/logs/types.ts";
import { StreamWindow } from "../../src/logs/window.ts";
import { endOf, joined, linesOf, memorySink, open } from "./support.ts";

async function linesFor(text: string | Buffer, secrets: string[] = []) {
  const sink = memorySink();
  const log = open(sink, { secrets });
  await log.write("stdout", Buffer.from(text), 0);
  return linesOf(await endOf(log, sink));
}
const brief = (lines: Awaited<ReturnType<typeof linesFor>>) =>
  lines.map((l) => [l.content.length, l.partial]);

test("a line of exactly 16 KiB stays whole, one byte more makes two pieces", async () => {
  const long = "x".repeat(16_384);
  expect(brief(await linesFor(`${long}\n`))).toEqual([[16_384, false]]);
  expect(brief(await linesFor(`${long}y\n`))).toEqual([
    [16_384, true],
    [1, false],
  ]);
});

test.each([
  ["characters of two bytes", "ä", 2],
  ["of three", "€", 3],
  ["of four", "🚚", 4],
])("a line is cut between its characters: %s", async (_, character, size) => {
  for (let before = 0; before < size; before++) {
    const text = `${"x".repeat(before)}${character.repeat(30_000)}`;
    const lines = await linesFor(`${text}\n`);
    expect(joined(lines, "stdout").toString()).toBe(`${text}\n`);
    for (const { content } of lines) {
      expect(isUtf8(content)).toBe(true);
      expect(content.length).toBeLessThanOrEqual(16_384);
    }
    for (const { content } of lines.slice(0, -1)) expect(content.length).toBeGreaterThan(16_384 - size);
  }
});

test("bytes that are not UTF-8 are cut within 3 bytes of a full piece", async () => {
  for (const byte of [0x80, 0xbf, 0xc3, 0xe2, 0xf0, 0xff]) {
    const text = Buffer.alloc(50_000, byte);
    const lines = await linesFor(Buffer.concat([text, Buffer.from("\n")]));
    expect(joined(lines, "stdout").subarray(0, -1).equals(text)).toBe(true);
    expect(lines).toHaveLength(4);
  }
});

test("text that waits is shown up to its last whole character; the beginning of a character is shown with its rest, or once it has waited alone", async () => {
  const sink = memorySink();
  const log = open(sink);
  const shown = () => linesOf(sink.chunks).map(({ content }) => content.toString("latin1"));
  const prompt = Buffer.from("Größe in €");
  await log.write("stdout", prompt.subarray(0, -2), 0);
  await expect.poll(shown).toEqual([Buffer.from("Größe in ").toString("latin1"), "\xe2"]);
  await log.write("stdout", prompt.subarray(-2), prompt.length - 2);
  expect(joined(linesOf(await endOf(log, sink)), "stdout").equals(prompt)).toBe(true);
});

test("takePrompt leaves the beginning of a character, unless nothing else is there", () => {
  const window = new StreamWindow(0);
  const taken: string[] = [];
  const put: PutLine = (bytes, start, end) => taken.push(bytes.toString("latin1", start, end)) > 0;
  for (const bytes of ["in \xe2", "\x82\xac\xf0\x9f", "\x9a\x9a", "x\x80"]) {
    window.append(Buffer.from(bytes, "latin1"));
    window.show(window.end, []);
    takePrompt(window, put);
  }
  takePrompt(window, put);
  expect(taken).toEqual(["in ", "\xe2\x82\xac", "\xf0\x9f\x9a\x9a", "x\x80"]);
  window.append(Buffer.from([0xe2]));
  window.show(window.end, []);
  takePrompt(window, put);
  expect(taken.at(-1)).toBe("\xe2");
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

test("a stream keeps at most a slice and an unfinished line in memory", async () => {
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

test("lines of the service are split at newlines, redacted, and numbered among the others", async () => {
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

test("wrong calls are errors that name what was expected", async () => {
  const log = open(memorySink(), { offsets: { stdout: 7, stderr: 0 } });
  expect(() => log.write("stdout", Buffer.from("x"), 8)).toThrow("Cannot write stdout from 8: expected 7");
  await log.end();
  expect(() => log.write("stdout", Buffer.from("x"), 7)).toThrow("has ended");
  expect(() => log.say("x")).toThrow("has ended");
});
