import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { backOff, retry } from "../../src/async/retry.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = new AbortController().signal;

/** Returns work that fails so many times. */
function failing(times: number) {
  let tries = 0;
  return vi.fn(async () => {
    tries++;
    if (tries <= times) throw new Error(`try ${tries}`);
    return tries;
  });
}

test("work is repeated after the given pauses until it succeeds", async () => {
  const work = failing(2);
  const told: unknown[] = [];
  const result = retry(work, {
    pausesMs: [10, 30],
    signal: never,
    onRetry: (error, pauseMs) => told.push([(error as Error).message, pauseMs]),
  });
  await vi.advanceTimersByTimeAsync(9);
  expect(work).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(31);
  expect(await result).toBe(3);
  expect(told).toEqual([
    ["try 1", 10],
    ["try 2", 30],
  ]);
});

test("an error is thrown if it does not pass or no pause is left", async () => {
  await expect(retry(failing(1), { pausesMs: [], signal: never })).rejects.toThrow("try 1");
  const mayPass = () => false;
  await expect(retry(failing(1), { pausesMs: [10], signal: never, mayPass })).rejects.toThrow("try 1");
});

test("after an abort the signal's reason is thrown, in a pause and for an error of the work", async () => {
  const controller = new AbortController();
  const paused = retry(failing(1), { pausesMs: [1000], signal: controller.signal });
  await vi.advanceTimersByTimeAsync(1);
  controller.abort(new Error("gone"));
  await expect(paused).rejects.toThrow("gone");
  await expect(retry(failing(1), { pausesMs: [1], signal: controller.signal })).rejects.toThrow("gone");
});

test("backOff doubles up to the longest pause", () => {
  expect([...backOff({ firstMs: 50, longestMs: 300 }, 5)]).toEqual([50, 100, 200, 300, 300]);
  const [first, second] = backOff({ firstMs: 1, longestMs: 9 });
  expect([first, second]).toEqual([1, 2]);
});
