import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Chunk } from "../../src/logs/types.ts";
import {
  endOf,
  heldSink,
  joined,
  linesOf,
  memorySink,
  open,
  randomSource,
  redactSlowly,
  writeAll,
} from "../logs/support.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const settle = () => vi.advanceTimersByTimeAsync(0);
const texts = (chunks: Parameters<typeof linesOf>[0]) =>
  linesOf(chunks).map((line) => line.content.toString());
const BLOCK = Buffer.from(`${"x".repeat(99)}\n`.repeat(2000)); // about 4 chunks

test("the first chunks of a burst are sent at once, the rest every 100 ms as one chunk", async () => {
  const sink = memorySink();
  const log = open(sink);
  for (const [i, text] of ["a", "b", "c", "d"].entries()) {
    log.write("stdout", Buffer.from(`${text}\n`), 2 * i);
    await settle();
    expect(texts(sink.chunks).at(-1)).toBe(text);
  }
  log.write("stdout", Buffer.from("e\n"), 8);
  await vi.advanceTimersByTimeAsync(60);
  log.write("stderr", Buffer.from("f\n"), 0);
  await vi.advanceTimersByTimeAsync(39);
  expect(sink.chunks).toHaveLength(4);
  await vi.advanceTimersByTimeAsync(1);
  expect(texts(sink.chunks.slice(4))).toEqual(["e", "f"]);
});

test("lines of the service wait for the program's lines, 100 ms at most", async () => {
  const sink = memorySink();
  const log = open(sink);
  log.say("running");
  await vi.advanceTimersByTimeAsync(60);
  log.write("stdout", Buffer.from("a\n"), 0);
  await settle();
  expect(sink.chunks.map((chunk) => texts([chunk]))).toEqual([["running", "a"]]);
  log.say("one");
  await vi.advanceTimersByTimeAsync(60);
  log.say("two");
  await vi.advanceTimersByTimeAsync(39);
  expect(sink.chunks).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(texts(sink.chunks.slice(1))).toEqual(["one", "two"]);
});

test("a prompt is shown after 200 ms, and its line continues after it", async () => {
  const sink = memorySink();
  const log = open(sink);
  log.write("stdout", Buffer.from("Password: "), 0);
  await vi.advanceTimersByTimeAsync(199);
  expect(sink.chunks).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(linesOf(sink.chunks)).toMatchObject([{ partial: true }]);
  expect(sink.chunks[0]?.offsets.stdout).toBe(10);
  log.write("stdout", Buffer.from("ok\n"), 10);
  expect(joined(linesOf(await endOf(log, sink)), "stdout").toString()).toBe("Password: ok\n");
});

test("text that grows slowly is shown every 200 ms; unterminated text after a burst waits 200 ms from its write", async () => {
  const sink = memorySink();
  const log = open(sink);
  for (let i = 0; i < 8; i++) {
    log.write("stdout", Buffer.from("."), i);
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(texts(sink.chunks)).toEqual(["....", "...."]);
  log.write("stdout", Buffer.from("a"), 8);
  await vi.advanceTimersByTimeAsync(150);
  log.write("stdout", Buffer.from("b\nc"), 9);
  await vi.advanceTimersByTimeAsync(199);
  expect(texts(sink.chunks)).toEqual(["....", "....", "ab"]);
  await vi.advanceTimersByTimeAsync(1);
  expect(texts(sink.chunks)).toEqual(["....", "....", "ab", "c"]);
});

test("a flush never shows the possible beginning of a secret", async () => {
  const sink = memorySink();
  const log = open(sink, { secrets: ["hunter2"] });
  log.write("stdout", Buffer.from("login: hunt"), 0);
  await vi.advanceTimersByTimeAsync(5000);
  expect(texts(sink.chunks)).toEqual(["login: "]);
  expect(sink.chunks[0]?.offsets.stdout).toBe(7);
  log.write("stdout", Buffer.from("er2"), 11);
  await vi.advanceTimersByTimeAsync(200);
  expect(texts(sink.chunks)).toEqual(["login: ", "***"]);
  log.write("stdout", Buffer.from(" hun"), 14);
  await vi.advanceTimersByTimeAsync(5000);
  expect(texts(await endOf(log, sink))).toEqual(["login: ", "***", " ", "hun"]);
});

test("random pauses, with flushes at any point, change neither bytes nor secrets nor offsets", async () => {
  const secrets = ["hunter2", "abab", "long\nsecret"];
  for (let seed = 1; seed <= 40; seed++) {
    const random = randomSource(seed);
    const words = ["hunter2", "hunt", "er2", "abab", "a", "\n", "long\nse", "cret", " x ", "long\nsecret"];
    const raw = Buffer.from(Array.from({ length: 200 }, () => words[random(words.length)]).join(""));
    const sink = memorySink();
    const log = open(sink, { secrets });
    const between = async () => void (await vi.advanceTimersByTimeAsync(random(300)));
    await writeAll(log, "stdout", raw, random, { longest: 8, between });
    const chunks = await endOf(log, sink);
    const wanted = redactSlowly(raw, secrets);
    expect(joined(linesOf(chunks), "stdout").equals(wanted), `seed ${seed}`).toBe(true);
    const at = random(chunks.length);
    const { offsets, lastSeq } = chunks[at] as (typeof chunks)[number];
    const second = memorySink();
    const again = open(second, { secrets, offsets, lastSeq });
    await again.write("stdout", raw.subarray(offsets.stdout), offsets.stdout);
    const all = linesOf([...chunks.slice(0, at + 1), ...(await endOf(again, second))]);
    expect(joined(all, "stdout").equals(wanted), `seed ${seed}, again`).toBe(true);
  }
});

test("a slow sink holds writers back, and say() does not wait for it", async () => {
  const sink = heldSink();
  const log = open(sink);
  const written = log.write("stdout", BLOCK, 0);
  const progress = vi.fn();
  void written?.then(progress);
  await settle();
  expect(sink.calls).toHaveLength(2);
  expect(progress).not.toHaveBeenCalled();
  for (let i = 0; i < 3000; i++) log.say(`line ${i} of ours, which must go somewhere`);
  expect(() => log.write("stdout", BLOCK, BLOCK.length)).toThrow("still waits");
  for (let done = 0; done < 8; done++) {
    sink.calls[done]?.resolve();
    await settle();
    expect(sink.calls.length - done).toBeLessThanOrEqual(3);
  }
  expect(progress).toHaveBeenCalled();
});

test("both streams take turns at a slow sink", async () => {
  const order: string[] = [];
  const sink = memorySink(async (chunk) => {
    order.push(chunk.counts.stdout > chunk.counts.stderr ? "out" : "err");
    await vi.advanceTimersByTimeAsync(1);
  });
  const log = open(sink);
  const flood = Buffer.concat(Array(20).fill(BLOCK));
  await Promise.all([log.write("stdout", flood, 0), log.write("stderr", BLOCK, 0)]);
  expect(order.length).toBeGreaterThan(60);
  expect(order.lastIndexOf("err")).toBeLessThan(20);
});

test("text that waits for room is not taken for a prompt, also if lines of the service make room", async () => {
  const sink = heldSink();
  const log = open(sink);
  log.write("stdout", Buffer.from("begun "), 0);
  const written = log.write("stdout", BLOCK, 6);
  for (let i = 0; i < 5; i++)
    log.say(`line ${i} of ours, long enough to need a chunk of its own`.padEnd(200));
  await vi.advanceTimersByTimeAsync(1000);
  const last = log.end();
  for (let i = 0; i < 8; i++) {
    sink.calls[i]?.resolve();
    await settle();
  }
  await written;
  const lines = linesOf([
    ...sink.calls.map((call) => call.chunk),
    ...((await last) ? [await last] : []),
  ] as Chunk[]);
  expect(lines.filter((line) => line.stream === "stdout" && line.content.length > 105)).toEqual([]);
  expect(joined(lines, "stdout").equals(Buffer.concat([Buffer.from("begun "), BLOCK]))).toBe(true);
});

test("chunks are committed in order even if the sink resolves out of order", async () => {
  const sink = heldSink();
  const seen: number[] = [];
  const log = open(sink, { onStored: (chunk) => seen.push(chunk.firstSeq) });
  const written = log.write("stdout", BLOCK.subarray(0, 130_000), 0);
  await settle();
  sink.calls[1]?.resolve();
  await settle();
  expect(seen).toEqual([]);
  expect(log.storedOffsets.stdout).toBe(0);
  sink.calls[0]?.resolve();
  await written;
  await settle();
  expect(seen).toEqual([1, sink.calls[1]?.chunk.firstSeq]);
  expect(log.storedOffsets).toEqual(sink.calls[1]?.chunk.offsets);
});
