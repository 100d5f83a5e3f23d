import { expect, test, vi } from "vitest";
import type { Mark } from "../../src/live/hub.ts";
import { observeWatched } from "../../src/live/poller.ts";

/** A hub with tasks a and b watched. */
function hub(watched = ["a", "b"]) {
  const observed: (Mark & { id: string })[] = [];
  return {
    observed,
    watched: () => watched,
    observe: (id: string, mark: Mark) => void observed.push({ id, ...mark }),
  };
}

test("one query reads the positions of all watched tasks and hands them to the hub", async () => {
  const heard = hub();
  const readMarks = vi.fn(async (ids: string[]) => ids.map((id) => ({ id, lastSeq: 1, events: 2 })));
  await observeWatched({ hub: heard, readMarks });
  expect(readMarks.mock.calls).toEqual([[["a", "b"]]]);
  expect(heard.observed).toEqual([
    { id: "a", lastSeq: 1, events: 2 },
    { id: "b", lastSeq: 1, events: 2 },
  ]);
});

test("without watched tasks the store is not read", async () => {
  const readMarks = vi.fn(async () => []);
  await observeWatched({ hub: hub([]), readMarks });
  expect(readMarks).not.toHaveBeenCalled();
});
