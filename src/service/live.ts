import { type Callers, createCallers } from "../access/callers.ts";
import { createHub, type Hub } from "../live/hub.ts";
import type { TaskPool } from "../pool/pool.ts";
import type { Listeners } from "../runner/logging.ts";
import { liveFeed } from "../runner/notifications.ts";
import { findTokens, recordUse } from "../store/accounts/tokens.ts";
import { type Bus, openBus } from "../store/postgres/bus.ts";
import type { ServiceContext } from "./context.ts";

/**
 * Distributes committed changes to the watchers of this server, to its pool if it has one, and to the other servers.
 */
export interface Live {
  hub: Hub;
  /** Accounts that call this server, by their tokens. */
  callers: Callers;
  bus: Pick<Bus, "publish">;
  /** Listeners that are called after every commit of this server. */
  feed: Listeners;
  pool: PoolDoor;
  /** Sets the pool that is woken by changes of the queue and by kill requests. */
  connect(pool: PoolDoor): void;
}

type PoolDoor = Pick<TaskPool, "wake" | "applyKillRequests">;
const NO_POOL: PoolDoor = { wake() {}, applyKillRequests() {} };

export function openLive(
  { databaseUrl, databases, logger, node }: ServiceContext,
  stack: AsyncDisposableStack,
): Live {
  const hub = createHub();
  const callers = createCallers({
    findTokens: (hashes) => findTokens(databases.reads, hashes),
    recordUse: (hashes) => recordUse(databases.control, hashes),
    logger,
  });
  stack.use(callers);
  let connected = NO_POOL;
  const pool: PoolDoor = {
    wake: () => connected.wake(),
    applyKillRequests: (ids) => connected.applyKillRequests(ids),
  };
  const bus = openBus({
    url: databaseUrl,
    node,
    onNotice({ tasks, queue, access }) {
      for (const id of tasks) hub.wake(id);
      pool.applyKillRequests(tasks);
      if (queue) pool.wake();
      if (access) callers.changed();
    },
    onReconnect() {
      hub.wakeAll();
      callers.changed();
      pool.wake();
    },
  });
  stack.defer(() => bus.close());
  return {
    hub,
    callers,
    bus,
    feed: liveFeed(hub, bus),
    pool,
    connect(made) {
      connected = made;
    },
  };
}
