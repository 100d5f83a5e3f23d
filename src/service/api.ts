import type { ConnectRouter } from "@connectrpc/connect";
import { appsElsewhere, createAppInspector } from "../jobs/apps/inspect-apps.ts";
import { forwardedVariables } from "../jobs/executors/local/environment.ts";
import { rpcDeps } from "../rpc/deps.ts";
import { routes } from "../rpc/routes.ts";
import type { ServiceContext } from "./context.ts";
import type { Live } from "./live.ts";
import type { Runner } from "./runner.ts";

/** Builds the part of the service that answers calls: the RPCs of the contract. */
export function apiRoutes(
  { config, databases, cipher, operatorLog, recordRefusal }: ServiceContext,
  { hub, callers, bus, feed, pool }: Live,
  runner: Pick<Runner, "isolation"> | undefined,
): (router: ConnectRouter) => void {
  return routes(
    rpcDeps(databases, {
      cipher,
      hub,
      callers,
      operatorLog,
      inspectApps: config.roles.includes("runner")
        ? createAppInspector({ apps: config.apps, forwarded: forwardedVariables(config.forwardedEnv) })
        : async () => appsElsewhere(config.apps),
      isolation: runner?.isolation,
      recordRefusal,
      appNames: Object.keys(config.apps),
      lostTimeoutMs: config.lostTimeout,
      runsTasks: config.roles.includes("runner"),
      onCreated(id) {
        for (const listener of feed.status) listener(id, "WAITING");
        pool.wake();
      },
      onDecided(task) {
        for (const listener of feed.status) listener(task.id, task.status);
        pool.applyKillRequests([task.id]);
        pool.wake();
      },
      onChanged(id) {
        hub.wake(id);
        bus.publish(id, { queue: true });
        pool.applyKillRequests([id]);
        pool.wake();
      },
    }),
  );
}
