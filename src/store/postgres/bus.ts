import { setTimeout as delay } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { failpoint } from "../../async/failpoint.ts";
import { backOff, retry } from "../../async/retry.ts";
import { connect, openDatabase } from "./database.ts";

/*
 * Notifications between the servers of one database, over PostgreSQL's LISTEN and NOTIFY. They are hints: a receiver
 * reads the store, and slow polls find every change whose notification was lost. One connection sends, another one
 * listens.
 */

const CHANNEL = "signalman";
/** Ids in one notification. PostgreSQL refuses payloads of 8000 bytes and more; an id with its comma has 37. */
const IDS_PER_NOTICE = 200;
/** Shortest time in milliseconds between two NOTIFYs that this server sends. */
const PAUSE_MS = 50;
/** Time limit in milliseconds for sending one notification. */
const DEADLINE_MS = 2000;
/** Milliseconds between two checks of the LISTEN connection, which can break without an error on this side. */
const CHECK_MS = 5000;

/** Milliseconds between two tries to listen. */
const LISTEN_PAUSE_MS = 500;

/** Changes that another server has committed. */
export interface Notice {
  /** Ids of tasks that have changed. */
  tasks: string[];
  /** Whether there may be a task to start. */
  queue: boolean;
  /** Whether accounts, tokens or role bindings have changed; triggers of the database send this. */
  access: boolean;
}

export interface Bus {
  /** Notifies the other servers of a changed task: at once, or within 50 ms together with others. */
  publish(taskId: string, options?: { queue: boolean }): void;
  close(): Promise<void>;
}

export interface BusOptions {
  url: string;
  node: string;
  /** Called with each notification of another server. */
  onNotice(notice: Notice): void;
  /** Called when the LISTEN connection was opened again; notifications may have been missed. */
  onReconnect(): void;
}

/** Opens the bus. Lost connections are opened again until `close`. */
export function openBus(options: BusOptions): Bus {
  const sender = openDatabase({ url: options.url, max: 1, name: "notices", deadlineMs: DEADLINE_MS });
  const ids = new Set<string>();
  let queue = false;
  let state: "idle" | "sending" | "closed" = "idle";
  let listener = openListener(options);
  const checks = setInterval(() => void checkListener(), CHECK_MS);
  checks.unref();

  /** Reopens the LISTEN connection if the notification of the last check did not come back, and sends the next one. */
  async function checkListener(): Promise<void> {
    if (listener.isDead()) {
      void listener.close();
      listener = openListener(options);
    }
    const checked = listener;
    checked.expectOwn(true);
    await send(options.node).catch(() => checked.expectOwn(false));
  }

  async function send(payload: string): Promise<void> {
    await failpoint("before-notify");
    await sender.run((db) => db.execute(sql`SELECT pg_notify(${CHANNEL}, ${payload})`));
  }

  /** Sends one notification at a time, so that they do not pile up while the database is away. */
  async function sendAll(): Promise<void> {
    state = "sending";
    while (isOpen() && (ids.size > 0 || queue)) {
      const pause = delay(PAUSE_MS);
      const payload = nextPayload();
      // A lost notification costs a second at most, until the next poll finds the change.
      await send(payload).catch(() => {});
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
      if (state === "idle") void sendAll();
    },
    async close() {
      state = "closed";
      clearInterval(checks);
      await Promise.all([listener.close(), sender.close()]);
    },
  };
}

/** Opens a connection that listens until it is closed. */
function openListener(options: BusOptions) {
  const client = connect(options.url, { max: 1, name: "bus" });
  const closing = new AbortController();
  let expectsOwn = false;

  function receive(payload: string): void {
    const [node, flag, ...tasks] = payload.split(",");
    if (node === options.node) expectsOwn = false;
    else options.onNotice({ tasks, queue: flag === "q", access: flag === "a" });
  }

  /** postgres.js repeats LISTEN when it reconnects, but not if the first LISTEN fails. */
  const listening = retry(() => client.listen(CHANNEL, receive, () => options.onReconnect()), {
    pausesMs: backOff({ firstMs: LISTEN_PAUSE_MS, longestMs: LISTEN_PAUSE_MS }),
    signal: closing.signal,
  });
  listening.catch(() => {}); // rejects when the bus is closed
  return {
    /** Sets whether a notification of this server has been sent and should come back. */
    expectOwn(expected: boolean) {
      expectsOwn = expected;
    },
    isDead: () => expectsOwn,
    async close() {
      closing.abort();
      await client.end({ timeout: 1 });
    },
  };
}
