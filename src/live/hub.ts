import { createWakeup, type Wakeup } from "../async/wakeup.ts";

/**
 * Lines that have just been stored, encoded once. Watchers at the tip share it; those behind read the store.
 */
export interface Batch {
  firstSeq: number;
  lastSeq: number;
  counts: Readonly<Record<"stdout" | "stderr" | "system", number>>;
  /** A `signalman.v1.LogBatch`. */
  data: Buffer;
  /** How many of the task's events precede its lines. */
  events: number;
}

/** How far a task's log and events have got. */
export interface Mark {
  lastSeq: number;
  events: number;
}

/** One watcher's subscription to a task. */
export interface Subscription extends Disposable {
  /** The newest batch that begins right behind `seq`, if it is still here. */
  batchAfter(seq: number): Batch | undefined;
  /** The store holds more than a watcher at `seq` has, or may do: it must be read. */
  isBehind(seq: number): boolean;
  /** Call it before reading the store. */
  rest(): void;
  /** Resolves at the next news, or after `ms`, or when the signal is aborted. Never rejects. */
  changed(ms: number, signal: AbortSignal): Promise<void>;
}

/** Wakes watchers; the store speaks. Keeps the newest batches of tasks that somebody watches, and nothing else. */
export interface Hub {
  publish(taskId: string, batch: Batch): void;
  /** Something else about the task was committed. */
  wake(taskId: string): void;
  wakeAll(): void;
  /** What the store says; wakes if nobody here has heard of it. */
  observe(taskId: string, mark: Mark): void;
  subscribe(taskId: string): Subscription;
  /** Calls back when something but lines was committed, of any task. */
  subscribeToAll(notify: () => void): Disposable;
  /** Tasks that somebody watches here. */
  watched(): string[];
}

/** Bytes of batches kept for all watched tasks together: how far watchers may lag without reading the store. */
const KEPT_BYTES = 8 * 1024 * 1024;

interface Listener extends Wakeup {
  /** Something was committed that is not in the batches. */
  isStale: boolean;
}

interface Topic {
  wakeups: Set<Listener>;
  /** By first number; insertion order is age. */
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

/** Holds batches up to a number of bytes; the oldest make room, whosever they are. */
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
