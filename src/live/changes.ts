import { startLoop } from "../async/poll-loop.ts";
import { createWakeup, type Wakeup } from "../async/wakeup.ts";
import type { Hub } from "./hub.ts";

/** A change of a task's status, encoded once for all watchers. Positions order the changes of all tasks. */
export interface Change {
  position: number;
  project: string;
  template: string;
  labels: Record<string, string>;
  /** A `signalman.v1.TaskTransition` in its own memory: a slice of Node's buffer pool would keep 64 KiB alive. */
  data: Uint8Array;
}

/** One watcher of many tasks. */
export interface ChangeSubscription extends Disposable {
  /** The highest position up to which every change is known; undefined until the first read. */
  readonly tip: number | undefined;
  /** Changes after a position up to the tip; undefined if some have been dropped from memory and the store must be read. */
  changesAfter(position: number): readonly Change[] | undefined;
  /** Resolves when the tip has moved, after `ms` milliseconds, or when the signal is aborted. Never rejects. */
  changed(ms: number, signal: AbortSignal): Promise<void>;
}

export interface ChangesOptions {
  hub: Pick<Hub, "subscribeToAll">;
  /** Assigns positions to committed changes; returns the highest one, and whether all have theirs. */
  place(): Promise<{ tip: number; isDone: boolean }>;
  /** Returns the first `limit` changes after one position, up to and including another. */
  read(range: { after: number; to: number }, limit: number): Promise<Change[]>;
  /** Milliseconds between two reads of the store when no notification arrives. Default 1000. */
  everyMs?: number;
}

/** Shortest time between two reads of the store, in milliseconds, however many notifications arrive. */
const PAUSE_MS = 50;
const PAGE = 200;
/** Bytes of changes kept: how far watchers may lag without reading the store. */
const KEPT_BYTES = 8 * 1024 * 1024;

/**
 * Reads the status changes of all tasks from the store, once for all watchers of this server, while there are watchers.
 * Notifications only trigger a read; without any, the store is read once a second. A failed read is repeated by the next.
 */
export function createChanges(options: ChangesOptions): { subscribe(): ChangeSubscription } {
  const { hub, everyMs = 1000 } = options;
  const wakeups = new Set<Wakeup>();
  let reader: Reader | undefined;

  return {
    subscribe() {
      reader ??= startReader({ ...options, hub, everyMs }, () =>
        wakeups.forEach((wakeup) => void wakeup.notify()),
      );
      const { tail } = reader;
      const wakeup = createWakeup();
      wakeups.add(wakeup);
      return {
        get tip() {
          return tail.tip;
        },
        changesAfter: tail.after,
        changed: wakeup.next,
        [Symbol.dispose]() {
          wakeups.delete(wakeup);
          if (wakeups.size > 0) return;
          reader?.[Symbol.dispose]();
          reader = undefined;
        },
      };
    },
  };
}

interface Reader extends Disposable {
  readonly tail: Tail;
}

function startReader({ hub, place, read, everyMs = 1000 }: ChangesOptions, onMoved: () => void): Reader {
  const tail = createTail();
  /** Reads new changes; returns whether more remain. */
  async function look(): Promise<boolean> {
    const { tip, isDone } = await place();
    if (tail.tip === undefined) tail.begin(tip);
    else await advance(tail.tip, tip);
    onMoved();
    return !isDone;
  }

  async function advance(from: number, tip: number): Promise<void> {
    for (let after = from; after < tip; ) {
      const page = await read({ after, to: tip }, PAGE);
      after = page.length < PAGE ? tip : (page.at(-1)?.position ?? tip);
      tail.add(page, after);
    }
  }

  const loop = startLoop({ everyMs, pauseMs: PAUSE_MS, name: "read changes" }, async () => {
    if (await look()) loop.wake();
  });
  const subscription = hub.subscribeToAll(loop.wake);
  loop.start();
  return {
    tail,
    [Symbol.dispose]() {
      void loop.stop();
      subscription[Symbol.dispose]();
    },
  };
}

type Tail = ReturnType<typeof createTail>;

/** Holds the newest changes, up to KEPT_BYTES. */
function createTail() {
  let held: Change[] = [];
  let bytes = 0;
  /** Lowest position after which all changes up to `tip` are held. */
  let from = 0;
  let tip: number | undefined;
  return {
    get tip() {
      return tip;
    },
    begin(position: number): void {
      from = tip = position;
    },
    add(changes: readonly Change[], upTo: number): void {
      held.push(...changes);
      bytes += changes.reduce((sum, { data }) => sum + data.length, 0);
      tip = upTo;
      let out = 0;
      for (; bytes > KEPT_BYTES; out++) {
        const oldest = held[out];
        if (!oldest) break;
        bytes -= oldest.data.length;
        from = oldest.position;
      }
      if (out > 0) held = held.slice(out);
    },
    after(position: number): readonly Change[] | undefined {
      if (tip === undefined || position < from) return undefined;
      let low = 0;
      for (let high = held.length; low < high; ) {
        const middle = (low + high) >> 1;
        if ((held[middle]?.position ?? 0) > position) high = middle;
        else low = middle + 1;
      }
      return held.slice(low);
    },
  };
}
