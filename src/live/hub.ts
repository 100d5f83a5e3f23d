import { createWakeup, type Wakeup } from "../async/wakeup.ts";

/*
 * Tells the watchers of this server that a task has changed.
 *
 * Lines and status changes are committed to the store first; the hub is told afterwards, by the runner of this server
 * or by a notification from PostgreSQL for tasks of other servers. It wakes the watchers of the task, and keeps the
 * newest batches of lines in memory, 8 MiB for all tasks. A watcher that has read up to a kept batch takes it from
 * there; any other watcher reads the store. changes.ts does the same for the status changes of all tasks, and
 * poller.ts compares positions with the store once a second.
 *
 * Guarantees: a lost notification delays a watcher by a second and loses nothing; watchers share the bytes of a
 * batch; a slow watcher holds back no other.
 * Left to others: reading the store (store/), streams to clients (rpc/).
 */

/** Lines that have just been stored, encoded once. Watchers at the tip share these bytes; others read the store. */
export interface Batch {
  firstSeq: number;
  lastSeq: number;
  counts: Readonly<Record<"stdout" | "stderr" | "system", number>>;
  /** A `signalman.v1.LogBatch`. */
  data: Buffer;
  /** How many of the task's events precede its lines. */
  events: number;
}

/** The committed position of a task: its last line number and its number of events. */
export interface Mark {
  lastSeq: number;
  events: number;
}

/** One watcher's subscription to a task. */
export interface Subscription extends Disposable {
  /** Returns the batch whose first line is `seq + 1`, if it is still in memory. */
  batchAfter(seq: number): Batch | undefined;
  /** Whether the store may hold lines or events that a watcher at `seq` does not have, and must be read. */
  isBehind(seq: number): boolean;
  /** Marks the subscription as up to date. To be called before the store is read, so that later changes count. */
  rest(): void;
  /** Resolves at the next change, after `ms` milliseconds, or when the signal is aborted. Never rejects. */
  changed(ms: number, signal: AbortSignal): Promise<void>;
}

/**
 * Wakes the watchers of this server when a task changes, and keeps the newest batches of watched tasks for them.
 * Watchers read everything else from the store.
 */
export interface Hub {
  /** Hands a committed batch to the task's watchers. */
  publish(taskId: string, batch: Batch): void;
  /** Reports a committed change other than lines, such as a status. */
  wake(taskId: string): void;
  wakeAll(): void;
  /** Takes a task's position from the store; wakes its watchers if it is ahead of what they know. */
  observe(taskId: string, mark: Mark): void;
  subscribe(taskId: string): Subscription;
  /** Calls `notify` after every committed change other than lines, of any task. */
  subscribeToAll(notify: () => void): Disposable;
  /** Ids of the tasks that have watchers on this server. */
  watched(): string[];
}

/** Bytes of batches kept for all watched tasks together: how far watchers may lag without reading the store. */
const KEPT_BYTES = 8 * 1024 * 1024;

interface Listener extends Wakeup {
  /** A change was committed that the batches in memory do not show. */
  isStale: boolean;
}

interface Topic {
  wakeups: Set<Listener>;
  /** Batches by their first line number, the oldest first. */
  batches: Map<number, Batch>;
  known: Mark;
}

export function createHub(): Hub {
  const topics = new Map<string, Topic>();
  const kept = createShelf(KEPT_BYTES);
  const allListeners = new Set<() => void>();

  function wake(taskId: string): void {
    for (const notify of allListeners) notify();
    wakeWatchers(taskId);
  }

  function wakeWatchers(taskId: string): void {
    for (const wakeup of topics.get(taskId)?.wakeups ?? []) {
      wakeup.isStale = true;
      wakeup.notify();
    }
  }

  return {
    publish(taskId, batch) {
      const topic = topics.get(taskId);
      if (!topic) return;
      kept.add(topic.batches, batch);
      topic.known = { lastSeq: batch.lastSeq, events: Math.max(batch.events, topic.known.events) };
      for (const wakeup of topic.wakeups) wakeup.notify();
    },
    wake,
    wakeAll() {
      for (const notify of allListeners) notify();
      for (const taskId of topics.keys()) wakeWatchers(taskId);
    },
    observe(taskId, mark) {
      const topic = topics.get(taskId);
      if (!topic || (topic.known.lastSeq >= mark.lastSeq && topic.known.events >= mark.events)) return;
      topic.known = mark;
      wakeWatchers(taskId);
    },
    watched: () => [...topics.keys()],
    subscribe(taskId) {
      const topic: Topic = topics.get(taskId) ?? {
        wakeups: new Set(),
        batches: new Map(),
        known: { lastSeq: 0, events: 0 },
      };
      topics.set(taskId, topic);
      return listen(topic, () => topics.get(taskId) === topic && topics.delete(taskId));
    },
    subscribeToAll(notify) {
      allListeners.add(notify);
      return { [Symbol.dispose]: () => void allListeners.delete(notify) };
    },
  };
}

/** Holds batches of all tasks up to `limit` bytes; the oldest are dropped first. */
function createShelf(limit: number) {
  const held: { batches: Map<number, Batch>; batch: Batch }[] = [];
  let oldest = 0;
  let bytes = 0;
  return {
    add(batches: Map<number, Batch>, batch: Batch): void {
      batches.set(batch.firstSeq, batch);
      held.push({ batches, batch });
      bytes += batch.data.length;
      for (; bytes > limit; oldest++) {
        const first = held[oldest];
        if (!first) break;
        bytes -= first.batch.data.length;
        first.batches.delete(first.batch.firstSeq);
      }
      if (oldest < 1024) return;
      held.splice(0, oldest);
      oldest = 0;
    },
  };
}

function listen(topic: Topic, onLast: () => void): Subscription {
  const wakeup: Listener = { ...createWakeup(), isStale: true };
  topic.wakeups.add(wakeup);
  return {
    batchAfter: (seq) => topic.batches.get(seq + 1),
    isBehind: (seq) => wakeup.isStale || topic.known.lastSeq > seq,
    rest() {
      wakeup.isStale = false;
    },
    changed: (ms, signal) => (wakeup.isStale ? Promise.resolve() : wakeup.next(ms, signal)),
    [Symbol.dispose]() {
      topic.wakeups.delete(wakeup);
      if (topic.wakeups.size === 0) onLast();
    },
  };
}
