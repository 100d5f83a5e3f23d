import { setTimeout as delay } from "node:timers/promises";
import { sql } from "drizzle-orm";
import type postgres from "postgres";
import { connect, openDatabase } from "./database.ts";

const CHANNEL = "signalman";
/** PostgreSQL refuses payloads of 8000 bytes and more; an id with its comma is 37. */
const IDS_PER_NOTICE = 200;
/** Milliseconds between two notices of one server. */
const PAUSE_MS = 50;
/** Milliseconds that one notice may take. */
const DEADLINE_MS = 2000;

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

/**
 * Hints between the servers of one database, over LISTEN and NOTIFY on a connection of their own.
 * `onNotice` gets those of other servers; `onReconnect` says that some may have been missed.
 */
export function openBus(options: {
  url: string;
  node: string;
  onNotice(notice: Notice): void;
  onReconnect(): void;
}): Bus {
  const ears = connect(options.url, { max: 1, name: "bus" });
  const mouth = openDatabase({ url: options.url, max: 1, name: "notices", deadlineMs: DEADLINE_MS });
  const ids = new Set<string>();
  let queue = false;
  let state: "idle" | "speaking" | "closed" = "idle";

  const listening = listen(ears, options, () => state === "closed");

  /** One notice at a time, so that none pile up while the database is away. */
  async function speak(): Promise<void> {
    state = "speaking";
    while (isOpen() && (ids.size > 0 || queue)) {
      const pause = delay(PAUSE_MS);
      const payload = nextPayload();
      // A lost hint costs a second at most: the polls behind it find the change.
      await mouth.run((db) => db.execute(sql`SELECT pg_notify(${CHANNEL}, ${payload})`)).catch(() => {});
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
      await Promise.race([listening, Promise.resolve()]);
      await Promise.all([ears.end({ timeout: 1 }), mouth.close()]);
    },
  };
}

/** postgres.js connects again by itself; the first LISTEN is ours to repeat. */
async function listen(
  client: postgres.Sql,
  options: Parameters<typeof openBus>[0],
  closed: () => boolean,
): Promise<void> {
  while (!closed()) {
    try {
      await client.listen(
        CHANNEL,
        (payload) => {
          const [node, flag, ...tasks] = payload.split(",");
          if (node !== options.node) options.onNotice({ tasks, queue: flag === "q" });
        },
        () => options.onReconnect(),
      );
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 500).unref());
    }
  }
}
