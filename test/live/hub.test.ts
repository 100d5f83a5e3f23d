import { describe, expect, test } from "vitest";
import { type Batch, createHub, type Subscription } from "../../src/live/hub.ts";

const counts = { stdout: 1, stderr: 0, system: 0 };
const batch = (firstSeq: number, lastSeq: number, events = 1): Batch => ({
  firstSeq,
  lastSeq,
  counts,
  events,
  data: Buffer.from(`${firstSeq}`),
});
const never = new AbortController().signal;
const LONG = 60_000;

/** A subscription that has read the store up to `seq`. */
function rested(wakeup: Subscription): Subscription {
  wakeup.rest();
  return wakeup;
}

describe("A new watcher", () => {
  test("is behind: earlier lines are in the store only", () => {
    const hub = createHub();
    hub.publish("a", batch(1, 3));
    using wakeup = hub.subscribe("a");
    expect(wakeup.isBehind(0)).toBe(true);
    expect(wakeup.batchAfter(0)).toBeUndefined();
    wakeup.rest();
    expect(wakeup.isBehind(0)).toBe(false);
  });

  test("finds the batches that were kept for another watcher", () => {
    const hub = createHub();
    using _first = hub.subscribe("a");
    hub.publish("a", batch(1, 3));
    using second = hub.subscribe("a");
    expect(second.batchAfter(0)?.lastSeq).toBe(3);
  });
});

test("watchers at the tip share the same batch object", () => {
  const hub = createHub();
  using one = rested(hub.subscribe("a"));
  using two = rested(hub.subscribe("a"));
  const [first, second] = [batch(1, 3), batch(4, 4)];
  hub.publish("a", first);
  hub.publish("a", second);
  expect(one.batchAfter(0)).toBe(first);
  expect(two.batchAfter(0)).toBe(first);
  expect(one.batchAfter(3)).toBe(second);
  expect(one.batchAfter(4)).toBeUndefined();
});

test("a watcher that lags behind the kept batches must read the store", () => {
  const hub = createHub();
  using wakeup = rested(hub.subscribe("a"));
  const data = Buffer.alloc(1024 * 1024);
  for (let seq = 1; seq <= 100; seq++) hub.publish("a", { ...batch(seq, seq), data });
  expect(wakeup.batchAfter(0)).toBeUndefined();
  expect(wakeup.isBehind(0)).toBe(true);
  expect(wakeup.batchAfter(99)?.lastSeq).toBe(100);
  expect(wakeup.isBehind(100)).toBe(false);
});

test("batches of all tasks share one memory limit, and the oldest are dropped first", () => {
  const hub = createHub();
  using first = rested(hub.subscribe("a"));
  using second = rested(hub.subscribe("b"));
  const data = Buffer.alloc(3 * 1024 * 1024);
  hub.publish("a", { ...batch(1, 1), data });
  hub.publish("b", { ...batch(1, 1), data });
  expect(first.batchAfter(0)).toBeDefined();
  hub.publish("b", { ...batch(2, 2), data });
  expect(first.batchAfter(0)).toBeUndefined();
  expect(second.batchAfter(0)).toBeDefined();
});

test("batches of a task without watchers are not kept", () => {
  const hub = createHub();
  const wakeup = hub.subscribe("a");
  hub.publish("a", batch(1, 1));
  wakeup[Symbol.dispose]();
  expect(hub.watched()).toEqual([]);
  using again = hub.subscribe("a");
  expect(again.batchAfter(0)).toBeUndefined();
});

test("watched() names each task until its last watcher has left", () => {
  const hub = createHub();
  const [one, two] = [hub.subscribe("a"), hub.subscribe("a")];
  using _other = hub.subscribe("b");
  one[Symbol.dispose]();
  one[Symbol.dispose]();
  expect(hub.watched()).toEqual(["a", "b"]);
  two[Symbol.dispose]();
  expect(hub.watched()).toEqual(["b"]);
});

test("a second dispose of a watcher leaves the task's other watchers subscribed", () => {
  const hub = createHub();
  const gone = hub.subscribe("a");
  gone[Symbol.dispose]();
  using next = rested(hub.subscribe("a"));
  gone[Symbol.dispose]();
  hub.publish("a", batch(1, 1));
  expect(next.batchAfter(0)).toBeDefined();
});

describe("A watcher that waits", () => {
  test("is woken by a batch", async () => {
    const hub = createHub();
    using wakeup = rested(hub.subscribe("a"));
    const woken = wakeup.changed(LONG, never);
    hub.publish("a", batch(1, 1));
    await woken;
    expect(wakeup.batchAfter(0)).toBeDefined();
  });

  test("is woken by every other commit, and must read the store then", async () => {
    const hub = createHub();
    using wakeup = rested(hub.subscribe("a"));
    const woken = wakeup.changed(LONG, never);
    hub.wake("a");
    await woken;
    expect(wakeup.isBehind(0)).toBe(true);
  });

  test("is woken by wakeAll", async () => {
    const hub = createHub();
    using a = rested(hub.subscribe("a"));
    using b = rested(hub.subscribe("b"));
    const woken = Promise.all([a.changed(LONG, never), b.changed(LONG, never)]);
    hub.wakeAll();
    await woken;
    expect(a.isBehind(0) && b.isBehind(0)).toBe(true);
  });

  test("is woken by its signal and after its time", async () => {
    const hub = createHub();
    using wakeup = rested(hub.subscribe("a"));
    const stop = new AbortController();
    const woken = wakeup.changed(LONG, stop.signal);
    stop.abort();
    await woken;
    await wakeup.changed(LONG, stop.signal);
    await wakeup.changed(1, never);
    expect(wakeup.isBehind(0)).toBe(false);
  });

  test("does not wait if a change was committed since it read the store", async () => {
    const hub = createHub();
    using wakeup = rested(hub.subscribe("a"));
    hub.wake("a");
    await wakeup.changed(LONG, never);
    expect(wakeup.isBehind(0)).toBe(true);
  });

  test("is not woken by another task", async () => {
    const hub = createHub();
    using wakeup = rested(hub.subscribe("a"));
    const order: string[] = [];
    const woken = wakeup.changed(LONG, never).then(() => order.push("woken"));
    hub.publish("b", batch(1, 1));
    hub.wake("b");
    await new Promise(setImmediate);
    order.push("not yet");
    hub.wake("a");
    await woken;
    expect(order).toEqual(["not yet", "woken"]);
  });
});

describe("A position from the store", () => {
  test("wakes watchers if it is ahead of the known one", () => {
    const hub = createHub();
    using wakeup = rested(hub.subscribe("a"));
    hub.observe("a", { lastSeq: 5, events: 1 });
    expect(wakeup.isBehind(0)).toBe(true);
    wakeup.rest();
    expect(wakeup.isBehind(5)).toBe(false);
    expect(wakeup.isBehind(4)).toBe(true);
    hub.observe("a", { lastSeq: 5, events: 2 });
    expect(wakeup.isBehind(5)).toBe(true);
  });

  test("does not wake watchers if it is known", () => {
    const hub = createHub();
    using wakeup = rested(hub.subscribe("a"));
    hub.publish("a", batch(1, 5, 3));
    hub.observe("a", { lastSeq: 5, events: 3 });
    hub.observe("a", { lastSeq: 4, events: 2 });
    hub.observe("unwatched", { lastSeq: 9, events: 9 });
    expect(wakeup.isBehind(5)).toBe(false);
  });
});

test("a listener to all tasks is called for status changes, not for lines, until it is disposed", () => {
  const hub = createHub();
  using _watcher = hub.subscribe("a");
  let heard = 0;
  {
    using _all = hub.subscribeToAll(() => heard++);
    hub.wake("a");
    hub.wake("unwatched");
    hub.wakeAll();
    expect(heard).toBe(3);
    hub.publish("a", batch(1, 3));
    hub.observe("a", { lastSeq: 9, events: 9 });
    expect(heard).toBe(3);
  }
  hub.wake("a");
  expect(heard).toBe(3);
});
