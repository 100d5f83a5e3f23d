import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { heldSink, memorySink, open } from "./support.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const settle = () => vi.advanceTimersByTimeAsync(0);
const BLOCK = Buffer.from(`${"x".repeat(99)}\n`.repeat(2000)); // about 4 chunks

test("end() returns the last chunk and waits for the commit of all others", async () => {
  const sink = heldSink();
  const log = open(sink);
  const written = log.write("stdout", BLOCK, 0);
  const ended = vi.fn();
  const last = log.end();
  void last.then(ended);
  for (let i = 0; i < 10; i++) {
    await settle();
    if (i < sink.calls.length) expect(ended).not.toHaveBeenCalled();
    sink.calls[i]?.resolve();
  }
  await written;
  expect(sink.calls.at(-1)?.chunk.lastSeq).toBeLessThan(2000);
  expect(await last).toMatchObject({ lastSeq: 2000, offsets: { stdout: BLOCK.length, stderr: 0 } });
  expect(await log.end()).toBe(await last);
});

test("end() returns the gathered lines, also after a long wait for the sink", async () => {
  const sink = heldSink();
  const log = open(sink);
  for (const [i, text] of ["one\n", "two\n", "six\n", "ten\n", "end\n"].entries())
    log.write("stdout", Buffer.from(text), 4 * i);
  const sent = sink.calls.length;
  const last = log.end();
  await vi.advanceTimersByTimeAsync(500);
  for (const call of sink.calls) call.resolve();
  expect(sink.calls).toHaveLength(sent);
  expect(await last).toMatchObject({ firstSeq: sent + 1, lastSeq: 5 });
});

test("end() of an empty log returns undefined", async () => {
  const sink = memorySink();
  const log = open(sink);
  log.write("stdout", Buffer.from("all\n"), 0);
  await settle();
  expect(await log.end()).toBeUndefined();
  expect(vi.getTimerCount()).toBe(0);
});

test("when the sink fails, the log aborts `failed`, releases writers and drops the rest", async () => {
  const sink = heldSink();
  const log = open(sink);
  const written = log.write("stdout", BLOCK, 0);
  await settle();
  const broken = new Error("lease lost");
  sink.calls[1]?.reject(broken);
  await written;
  expect(log.failed.reason).toBe(broken);
  expect(log.write("stdout", BLOCK, BLOCK.length)).toBeUndefined();
  log.say("dropped");
  sink.calls[0]?.resolve();
  await settle();
  expect(sink.calls).toHaveLength(2);
  expect(log.storedOffsets.stdout).toBe(0);
  await expect(log.end()).rejects.toBe(broken);
  expect(vi.getTimerCount()).toBe(0);
});

test("a sink that throws synchronously fails the log too", async () => {
  const store = () => {
    throw new Error("no pool");
  };
  const log = open({ store });
  log.write("stdout", Buffer.from("x\n"), 0);
  await settle();
  expect(log.failed.reason).toMatchObject({ message: "no pool" });
});

test("disposal waits for chunks in the sink and drops the rest", async () => {
  const sink = heldSink();
  const log = open(sink);
  const written = log.write("stdout", BLOCK, 0);
  const disposed = vi.fn();
  void log[Symbol.asyncDispose]().then(disposed);
  await settle();
  expect(disposed).not.toHaveBeenCalled();
  for (const call of sink.calls) call.resolve();
  await written;
  await settle();
  expect(disposed).toHaveBeenCalled();
  expect(sink.calls).toHaveLength(2);
  expect(log.storedOffsets).toEqual(sink.calls[1]?.chunk.offsets);
  expect(vi.getTimerCount()).toBe(0);
});
