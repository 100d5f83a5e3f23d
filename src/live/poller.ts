import type { Hub, Mark } from "./hub.ts";

/**
 * Reads the positions of all tasks that have watchers on this server, in one query, and hands them to the hub. Run
 * once a second, it limits the delay by a lost notification to a second. A failed query is repeated by the next run.
 */
export async function observeWatched(options: {
  hub: Pick<Hub, "watched" | "observe">;
  readMarks(ids: string[]): Promise<(Mark & { id: string })[]>;
}): Promise<void> {
  const ids = options.hub.watched();
  if (ids.length === 0) return;
  for (const { id, ...mark } of await options.readMarks(ids)) options.hub.observe(id, mark);
}
