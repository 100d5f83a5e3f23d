import type { Hub, Mark } from "./hub.ts";

/** The slow poll behind the hints, to be done once a second: one query for all tasks that are watched here. */
export async function observeWatched(options: {
  hub: Pick<Hub, "watched" | "observe">;
  readMarks(ids: string[]): Promise<(Mark & { id: string })[]>;
}): Promise<void> {
  const ids = options.hub.watched();
  if (ids.length === 0) return;
  for (const { id, ...mark } of await options.readMarks(ids)) options.hub.observe(id, mark);
}
