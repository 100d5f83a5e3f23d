import { setTimeout as delay } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { backOff, retry } from "../../async/retry.ts";
import { connect, openDatabase } from "./database.ts";

const CHANNEL = "signalman";
/** PostgreSQL refuses payloads of 8000 bytes and more; an id with its comma is 37. */
const IDS_PER_NOTICE = 200;
/** Milliseconds between two notices of one server. */
const PAUSE_MS = 50;
/** Milliseconds that one notice may take. */
const DEADLINE_MS = 2000;
/** Milliseconds between two tests of our hearing: a connection can die without a word, and then nobody tells. */
const HEARING_MS = 5000;

/** Milliseconds between two tries to listen. */
const LISTEN_PAUSE_MS = 500;

/** What changed. A hint only: whoever hears it reads the store, and polls slowly in case it was lost. */
export interface Notice {
  tasks: string[];
  /** The queue may have something to start. */
  queue: boolean;
}

export interface Bus {
  /** Tells the other servers, soon: the first at once, then together every 50 ms. */
  publish(taskId: string, options?: { queue: boolean }): void;
  close(): Promise<void>;
}

export interface BusOptions {
  url: string;
  node: string;
  /** Gets those of other servers. */
  onNotice(notice: Notice): void;
  /** Some may have been missed. */
  onReconnect(): void;
}

/** Hints between the servers of one database, over LISTEN and NOTIFY on a connection of their own. */
export function openBus(options: BusOptions): Bus {
  const mouth = openDatabase({ url: options.url, max: 1, name: "notices", deadlineMs: DEADLINE_MS });
  const ids = new Set<string>();
  let queue = false;
  let state: "idle" | "speaking" | "closed" = "idle";
  let ears = openEars(options);
  const hearing = setInterval(() => void testHearing(), HEARING_MS);
  hearing.unref();

  /** Whoever does not hear himself is deaf. */
  async function testHearing(): Promise<void> {
    if (ears.isDeaf()) {
      void ears.close();
      ears = openEars(options);
    }
    const tested = ears;
    tested.expectOwn(true);
    await say(options.node).catch(() => tested.expectOwn(false));
  }

  async function say(payload: string): Promise<void> {
    await mouth.run((db) => db.execute(sql`SELECT pg_notify(${CHANNEL}, ${payload})`));
  }

  /** One notice at a time, so that none pile up while the database is away. */
  async function speak(): Promise<void> {
    state = "speaking";
    while (isOpen() && (ids.size > 0 || queue)) {
      const pause = delay(PAUSE_MS);
      const payload = nextPayload();
      // A lost hint costs a second at most: the polls behind it find the change.
      await say(payload).catch(() => {});
      await pause;
    }
    if (isOpen()) state = "idle";
  }

  function isOpen(): boolean {
    return state !== "closed";
  }

  function nextPayload(): string {
    const tasks = [...ids].slice(0, IDS_PER_NOTICE);
    for (const id of tasks) ids.delete(id);
    const payload = [options.node, queue ? "q" : "", ...tasks].join(",");
    queue = false;
    return payload;
  }

  return {
    publish(taskId, { queue: forQueue } = { queue: false }) {
      ids.add(taskId);
      queue ||= forQueue;
      if (state === "idle") void speak();
    },
    async close() {
      state = "closed";
      clearInterval(hearing);
      await Promise.all([ears.close(), mouth.close()]);
    },
  };
}

/** A connection that listens until it is closed. */
function openEars(options: BusOptions) {
  const client = connect(options.url, { max: 1, name: "bus" });
  const closing = new AbortController();
  let expectsOwn = false;

  function hear(payload: string): void {
    const [node, flag, ...tasks] = payload.split(",");
    if (node === options.node) expectsOwn = false;
    else options.onNotice({ tasks, queue: flag === "q" });
  }

  /** postgres.js connects again by itself; the first LISTEN is ours to repeat. */
  const listening = retry(() => client.listen(CHANNEL, hear, () => options.onReconnect()), {
    pausesMs: backOff({ firstMs: LISTEN_PAUSE_MS, longestMs: LISTEN_PAUSE_MS }),
    signal: closing.signal,
  });
  listening.catch(() => {}); // closed
  return {
    /** Whether something of ours is being said, and should be heard. */
    expectOwn(expected: boolean) {
      expectsOwn = expected;
    },
    isDeaf: () => expectsOwn,
    async close() {
      closing.abort();
      await client.end({ timeout: 1 });
    },
  };
}
