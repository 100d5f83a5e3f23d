import { createHub, type Hub } from "../live/hub.ts";
import type { TaskPool } from "../pool/pool.ts";
import type { Listeners } from "../runner/logging.ts";
import { liveFeed } from "../runner/notifications.ts";
import { type Bus, openBus } from "../store/postgres/bus.ts";
import type { Ground } from "./ground.ts";

/**
 * Distributes committed changes to the watchers of this server, to its pool if it has one, and to the other servers.
 */
export interface Live {
  hub: Hub;
  bus: Pick<Bus, "publish">;
  /** Listeners that are called after every commit of this server. */
  feed: Listeners;
  pool: PoolDoor;
  /** Sets the pool that is woken by changes of the queue and by kill requests. */
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
