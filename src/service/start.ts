import type { Logger } from "pino";
import type { Config } from "../config.ts";
import { allOf, createHealthState } from "../http/health-state.ts";
import { assertSafeListen } from "../http/safe-listen.ts";
import { apiRoutes } from "./api.ts";
import { choresOf, startBackground } from "./background.ts";
import { openGround } from "./ground.ts";
import { openLive } from "./live.ts";
import { openPort } from "./port.ts";
import { openRunner } from "./runner.ts";

export interface Service extends AsyncDisposable {
  /** `http://host:port` */
  readonly url: string;
  /** Resolves, with a sentence, if the service cannot go on. */
  readonly died: Promise<string>;
}

/** What health calls the part that runs tasks: NOT_SERVING while this server cannot start any. */
const RUNNER = "signalman.runner";

/**
 * Builds every part once, as the roles say: one that only runs tasks has health and reflection on its port, one that only
 * answers calls has no pool. Disposing it takes them down in reverse: no new work, streams end, what runs is left alone.
 */
export async function startService(config: Config, logger: Logger): Promise<Service> {
  await using stack = new AsyncDisposableStack();
  const answers = config.roles.includes("api");
  if (answers) await assertSafeListen(config.listen.host, config.token !== undefined);
  const ground = await openGround(config, logger, stack);
  const live = openLive(ground, stack);
  const runner = config.roles.includes("runner") ? await openRunner(ground, live, stack) : undefined;
  // The port opens when this server can serve: a database that is slow to answer is waited for here.
  await runner?.pool.start();
  const health = createHealthState();
  const partsHealth = new Map(runner ? [[RUNNER, allOf(health, runner.health)]] : []);
  const routes = answers ? apiRoutes(ground, live) : () => {};
  const url = await openPort(ground, routes, { health, partsHealth }, stack);
  health.set(true);
  stack.use(startBackground(choresOf(ground, live, { health, runner }), logger));
  const owned = stack.move();
  return { url, died: ground.died, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}
