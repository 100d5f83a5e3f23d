/*
 * The room service/ is the composition root: it builds every part of a server once, connects the parts, and takes them
 * down in reverse order. Roles decide which parts a server has.
 *
 *   storage.ts     data folder, database, key of the stored secrets
 *   live.ts        hub, bus to the other servers, listeners for committed changes
 *   presence.ts    the server's row in the table of nodes
 *   runner.ts      pool, executors, hooks (role "runner")
 *   api.ts         the RPCs (role "api")
 *   port.ts        the one port, with health and reflection
 *   background.ts  repeated work, such as asking the database and housekeeping
 *
 * Disposing a service stops new work, ends streams and calls, and leaves running tasks to the next server.
 */

import type { Logger } from "pino";
import type { Config } from "../config.ts";
import { allOf, createHealthState } from "../http/health-state.ts";
import { assertSafeListen } from "../http/safe-listen.ts";
import { limitRefusals } from "../rpc/refusals.ts";
import { recordRefusal } from "../store/audit.ts";
import { endpointsOf } from "../store/postgres/database.ts";
import { createOperatorLog } from "../telemetry/operator-log.ts";
import { apiRoutes } from "./api.ts";
import { choresOf, startBackground } from "./background.ts";
import { readKeyPair } from "./key-pair.ts";
import { openLive } from "./live.ts";
import { openPort } from "./port.ts";
import { openPresence } from "./presence.ts";
import { openRunner } from "./runner.ts";
import { openStorage } from "./storage.ts";

export interface Service extends AsyncDisposable {
  /** `http://host:port` */
  readonly url: string;
  /** Resolves when the service cannot go on, to a sentence that says why. */
  readonly died: Promise<string>;
}

/** Name under which health reports the part that runs tasks: NOT_SERVING while this server cannot start tasks. */
const RUNNER = "signalman.runner";

/**
 * Starts a server with the parts that its roles name. A server that only runs tasks has health and reflection on its
 * port; one that only answers calls has no pool. Disposing the result takes the parts down in reverse order.
 */
export async function startService(config: Config, logger: Logger): Promise<Service> {
  await using stack = new AsyncDisposableStack();
  const answers = config.roles.includes("api");
  await assertSafeListen(config.listen.host, {
    auth: !config.noAuth,
    tls: config.tlsCert !== undefined,
    plaintext: config.plaintext,
  });
  const keyPair = readKeyPair(config);
  const { died, ...storage } = await openStorage(config, logger, stack);
  const operatorLog = createOperatorLog(logger, storage.node);
  const refusals = limitRefusals((...args) => recordRefusal(storage.databases.control, ...args));
  const context = { config, logger, operatorLog, recordRefusal: refusals, ...storage };
  const live = openLive(context, stack);
  const own = [...endpointsOf(storage.databaseUrl), config.listen];
  const presence = await openPresence(context, () => live.pool.wake(), stack);
  const runner = config.roles.includes("runner")
    ? await openRunner(context, live, own, presence, stack)
    : undefined;
  // The pool waits here for a database that is away, so that the port opens only when this server can serve.
  await runner?.pool.start();
  const health = createHealthState();
  const partsHealth = new Map(runner ? [[RUNNER, allOf(health, runner.health)]] : []);
  const routes = answers ? apiRoutes(context, live, runner) : () => {};
  const url = await openPort(context, live.callers, routes, { health, partsHealth, keyPair }, stack);
  own.push(endpointOf(url));
  presence.address = url;
  health.set(true);
  stack.use(startBackground(choresOf(context, live, { health, presence, runner }), logger));
  const owned = stack.move();
  return { url, died, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

/** Returns where the port listens; its number may be one that the system has chosen. */
function endpointOf(url: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || (protocol === "https:" ? 443 : 80) };
}
