import type { Hub, Mark } from "./hub.ts";

/**
 * Reads the positions of all tasks that have watchers here once a second, in one query, so that a lost notification delays a
 * watcher by a second at most. A failed query is repeated by the next.
 */
export async function observeWatched(options: {
  hub: Pick<Hub, "watched" | "observe">;
  readMarks(ids: string[]): Promise<(Mark & { id: string })[]>;
}): Promise<void> {
  const ids = options.hub.watched();
  if (ids.length === 0) return;
  for (const { id, ...mark } of await options.readMarks(ids)) options.hub.observe(id, mark);
}
