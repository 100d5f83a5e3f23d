import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Mark } from "../../src/live/hub.ts";
import { startPoller } from "../../src/live/poller.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A hub with tasks a and b watched. */
function hub(watched = ["a", "b"]) {
  const observed: (Mark & { id: string })[] = [];
  return {
    observed,
    watched: () => watched,
    observe: (id: string, mark: Mark) => void observed.push({ id, ...mark }),
  };
}

test("one query a second asks for all that is watched, and the hub hears the answers", async () => {
  const heard = hub();
  const readMarks = vi.fn(async (ids: string[]) => ids.map((id) => ({ id, lastSeq: 1, events: 2 })));
  using _poller = startPoller({ hub: heard, readMarks });
  await vi.advanceTimersByTimeAsync(2000);
  expect(readMarks.mock.calls).toEqual([[["a", "b"]], [["a", "b"]]]);
  expect(heard.observed.slice(0, 2)).toEqual([
    { id: "a", lastSeq: 1, events: 2 },
    { id: "b", lastSeq: 1, events: 2 },
  ]);
});

test("nobody is asked while nothing is watched", async () => {
  const readMarks = vi.fn(async () => []);
  using _poller = startPoller({ hub: hub([]), readMarks });
  await vi.advanceTimersByTimeAsync(5000);
  expect(readMarks).not.toHaveBeenCalled();
});

test("a slow query is not overtaken by a second one", async () => {
  const answers: (() => void)[] = [];
  const readMarks = () => new Promise<[]>((resolve) => answers.push(() => resolve([])));
  using _poller = startPoller({ hub: hub(), readMarks });
  await vi.advanceTimersByTimeAsync(5000);
  expect(answers).toHaveLength(1);
  answers[0]?.();
  await vi.advanceTimersByTimeAsync(1000);
  expect(answers).toHaveLength(2);
});

test("a query that fails is left to the next second", async () => {
  const heard = hub(["a"]);
  const readMarks = vi
    .fn(async () => [{ id: "a", lastSeq: 1, events: 1 }])
    .mockRejectedValueOnce(new Error("database away"));
  using _poller = startPoller({ hub: heard, readMarks });
  await vi.advanceTimersByTimeAsync(2000);
  expect(heard.observed).toHaveLength(1);
});

test("it ends with its owner", async () => {
  const readMarks = vi.fn(async () => []);
  startPoller({ hub: hub(), readMarks })[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(5000);
  expect(readMarks).not.toHaveBeenCalled();
});
