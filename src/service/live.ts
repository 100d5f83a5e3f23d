import { createHub, type Hub } from "../live/hub.ts";
import type { TaskPool } from "../pool/pool.ts";
import type { Listeners } from "../runner/logging.ts";
import { liveFeed } from "../runner/notifications.ts";
import { type Bus, openBus } from "../store/postgres/bus.ts";
import type { Ground } from "./ground.ts";

/** What news is told to: this server's watchers, its pool if it has one, and the other servers. */
export interface Live {
  hub: Hub;
  bus: Pick<Bus, "publish">;
  /** Hears of all that is committed here. */
  feed: Listeners;
  pool: PoolDoor;
  /** From now on the pool hears of the queue and of kill requests. */
  connect(pool: PoolDoor): void;
}

type PoolDoor = Pick<TaskPool, "wake" | "applyKillRequests">;
const NO_POOL: PoolDoor = { wake() {}, applyKillRequests() {} };

export function openLive({ databaseUrl, node }: Ground, stack: AsyncDisposableStack): Live {
  const hub = createHub();
  let connected = NO_POOL;
  const pool: PoolDoor = {
    wake: () => connected.wake(),
    applyKillRequests: (ids) => connected.applyKillRequests(ids),
  };
  const bus = openBus({
    url: databaseUrl,
    node,
    onNotice({ tasks, queue }) {
      for (const id of tasks) hub.wake(id);
      pool.applyKillRequests(tasks);
      if (queue) pool.wake();
    },
    onReconnect() {
      hub.wakeAll();
      pool.wake();
    },
  });
  stack.defer(() => bus.close());
  return {
    hub,
    bus,
    feed: liveFeed(hub, bus),
    pool,
    connect(made) {
      connected = made;
    },
  };
}
