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

test("one query asks for all that is watched, and the hub hears the answers", async () => {
  const heard = hub();
  const readMarks = vi.fn(async (ids: string[]) => ids.map((id) => ({ id, lastSeq: 1, events: 2 })));
  await observeWatched({ hub: heard, readMarks });
  expect(readMarks.mock.calls).toEqual([[["a", "b"]]]);
  expect(heard.observed).toEqual([
    { id: "a", lastSeq: 1, events: 2 },
    { id: "b", lastSeq: 1, events: 2 },
  ]);
});

test("nobody is asked while nothing is watched", async () => {
  const readMarks = vi.fn(async () => []);
  await observeWatched({ hub: hub([]), readMarks });
  expect(readMarks).not.toHaveBeenCalled();
});
