import { expect, test } from "vitest";
import { createKeyedQueue } from "../../src/async/keyed-queue.ts";

const never = new AbortController().signal;

test("work on one key runs one at a time in the order of the calls, on other keys in parallel", async () => {
  const inTurn = createKeyedQueue();
  const seen: string[] = [];
  const { promise: blocked, resolve: release } = Promise.withResolvers<void>();
  const first = inTurn("a", never, async () => {
    await blocked;
    seen.push("first");
  });
  const second = inTurn("a", never, async () => void seen.push("second"));
  await inTurn("b", never, async () => void seen.push("other"));
  release();
  await Promise.all([first, second]);
  expect(seen).toEqual(["other", "first", "second"]);
});

test("aborted and failed work keeps the order of the calls behind it", async () => {
  const inTurn = createKeyedQueue();
  const seen: string[] = [];
  const { promise: blocked, resolve: release } = Promise.withResolvers<void>();
  const first = inTurn("a", never, async () => {
    await blocked;
    seen.push("first");
    throw new Error("failed");
  });
  const stop = new AbortController();
  const second = inTurn("a", stop.signal, async () => void seen.push("second"));
  stop.abort(new Error("stopped"));
  await expect(second).rejects.toThrow("stopped");
  const third = inTurn("a", never, async () => void seen.push("third"));
  await inTurn("b", never, async () => {}); // gives the third call as many turns as it would need to start
  release();
  await expect(first).rejects.toThrow("failed");
  await third;
  expect(seen).toEqual(["first", "third"]);
});
