import type { Hub, Mark } from "./hub.ts";

/**
 * The slow poll behind the hints: one query a second for all tasks that are watched here. A query that fails is
 * left to the next second.
 */
export function startPoller(options: {
  hub: Pick<Hub, "watched" | "observe">;
  readMarks(ids: string[]): Promise<(Mark & { id: string })[]>;
  everyMs?: number;
}): Disposable {
  const { hub, readMarks, everyMs = 1000 } = options;
  let isBusy = false;

  async function look(): Promise<void> {
    const ids = hub.watched();
    if (ids.length === 0) return;
    for (const { id, ...mark } of await readMarks(ids)) hub.observe(id, mark);
  }

  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    void look()
      .catch(() => {})
      .finally(() => {
        isBusy = false;
      });
  }, everyMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
