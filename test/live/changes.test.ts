import { expect, test } from "vitest";
import { type Change, type ChangeSubscription, createChanges } from "../../src/live/changes.ts";
import { createHub } from "../../src/live/hub.ts";

const never = new AbortController().signal;
const LONG = 60_000;

/** A store of changes, and the reader under test. */
function feed(options: { everyMs?: number; bytes?: number } = {}) {
  const hub = createHub();
  const stored: Change[] = [];
  const reads: { after: number; to: number }[] = [];
  let trouble: Error | undefined;
  const changes = createChanges({
    hub,
    everyMs: options.everyMs ?? LONG,
    async place() {
      if (trouble) throw trouble;
      return { tip: stored.length, isDone: true };
    },
    async read(range, limit) {
      reads.push(range);
      return stored.slice(range.after, Math.min(range.to, range.after + limit));
    },
  });
  return {
    changes,
    reads,
    commit(count = 1) {
      const data = Buffer.alloc(options.bytes ?? 1);
      for (; count > 0; count--)
        stored.push({ position: stored.length + 1, project: "p", template: "t", labels: {}, data });
      hub.wake("any");
    },
    fail(error?: Error) {
      trouble = error;
    },
  };
}

async function reached(wakeup: ChangeSubscription, tip: number): Promise<void> {
  while (wakeup.tip !== tip) await wakeup.changed(LONG, never);
}
const positions = (found: readonly Change[] | undefined) => found?.map(({ position }) => position);

test("committed changes are read once for all watchers", async () => {
  const { changes, commit, reads } = feed();
  commit(3);
  using one = changes.subscribe();
  using two = changes.subscribe();
  await reached(one, 3);
  expect(reads).toEqual([]);
  commit(450);
  await Promise.all([reached(one, 453), reached(two, 453)]);
  expect(reads.map(({ after }) => after)).toEqual([3, 203, 403]);
  expect(positions(one.changesAfter(450))).toEqual([451, 452, 453]);
  expect(one.changesAfter(450)?.[0]).toBe(two.changesAfter(450)?.[0]);
  expect(one.changesAfter(453)).toEqual([]);
});

test("a watcher behind the changes in memory must read the store", async () => {
  const { changes, commit } = feed({ bytes: 1024 * 1024 });
  commit(3);
  using wakeup = changes.subscribe();
  await reached(wakeup, 3);
  expect(wakeup.changesAfter(2)).toBeUndefined();
  commit(20);
  await reached(wakeup, 23);
  expect(wakeup.changesAfter(14)).toBeUndefined();
  expect(positions(wakeup.changesAfter(15))).toEqual([16, 17, 18, 19, 20, 21, 22, 23]);
});

test("after a failed read the next read finds the changes that were missed", async () => {
  const { changes, commit, fail } = feed({ everyMs: 50 });
  fail(new Error("away"));
  using wakeup = changes.subscribe();
  commit(2);
  await wakeup.changed(100, never);
  expect(wakeup.tip).toBeUndefined();
  fail();
  await reached(wakeup, 2);
});

test("without watchers the store is not read, and the next watcher starts at the tip", async () => {
  const { changes, commit, reads } = feed({ everyMs: 10 });
  {
    using wakeup = changes.subscribe();
    await reached(wakeup, 0);
    wakeup[Symbol.dispose]();
  }
  commit(5);
  using wakeup = changes.subscribe();
  await reached(wakeup, 5);
  expect(reads).toEqual([]);
});

test("a wait ends when its signal is aborted", async () => {
  using wakeup = feed().changes.subscribe();
  await reached(wakeup, 0);
  const stop = new AbortController();
  const waiting = wakeup.changed(LONG, stop.signal);
  stop.abort();
  await waiting;
});
