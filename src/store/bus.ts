import type postgres from "postgres";
import { connect } from "./database.ts";

const CHANNEL = "signalman";
/** PostgreSQL refuses payloads of 8000 bytes and more; an id with its comma is 37. */
const IDS_PER_NOTICE = 200;
/** Milliseconds between two notices of one server. */
const PAUSE_MS = 50;

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
  const client = connect(options.url, { max: 1, name: "bus" });
  const ids = new Set<string>();
  let queue = false;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const listening = listen(client, options, () => closed);

  async function flush(): Promise<void> {
    if (ids.size === 0 && !queue) {
      timer = undefined;
      return;
    }
    const tasks = [...ids].slice(0, IDS_PER_NOTICE);
    for (const id of tasks) ids.delete(id);
    const payload = [options.node, queue ? "q" : "", ...tasks].join(",");
    queue = false;
    timer = setTimeout(() => void flush(), PAUSE_MS);
    // A lost hint costs a second at most: the polls behind it find the change.
    await client.notify(CHANNEL, payload).catch(() => {});
  }

  return {
    publish(taskId, { queue: forQueue } = { queue: false }) {
      ids.add(taskId);
      queue ||= forQueue;
      if (!timer && !closed) void flush();
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await Promise.race([listening, Promise.resolve()]);
      await client.end({ timeout: 1 });
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
