import type { ConnectRouter } from "@connectrpc/connect";
import { anyone } from "../access/anyone.ts";
import { inTurn } from "../access/authenticator.ts";
import type { Callers } from "../access/callers.ts";
import { rootTokens } from "../access/root-tokens.ts";
import { storedTokens } from "../access/stored-tokens.ts";
import { createHandler } from "../http/handler.ts";
import type { HealthState, Readable } from "../http/health-state.ts";
import { listen } from "../http/port.ts";
import { interceptors } from "../rpc/interceptors/all.ts";
import { violationsOf } from "../rpc/rules/check.ts";
import { ShutdownRequested } from "../runner/control.ts";
import { isDatabaseAway } from "../store/postgres/transient-errors.ts";
import type { Ground } from "./ground.ts";

/** Milliseconds that running calls have to end at shutdown. */
const CLOSE_GRACE_MS = 2000;

/** Opens the port with health, reflection and these routes. Resolves to its URL. */
export async function openPort(
  { config, logger }: Ground,
  callers: Pick<Callers, "verify">,
  routes: (router: ConnectRouter) => void,
  { health, partsHealth }: { health: HealthState; partsHealth: ReadonlyMap<string, Readable> },
  stack: AsyncDisposableStack,
): Promise<string> {
  const shutdown = new AbortController();
  const handler = createHandler({
    routes,
    interceptors: interceptors({
      logger,
      rules: violationsOf,
      isPassing: isDatabaseAway,
    }),
    authenticate: inTurn(
      storedTokens(callers),
      config.token === undefined ? anyone : rootTokens([config.token]),
    ),
    health,
    partsHealth,
    shutdown: shutdown.signal,
    gzip: config.compression === "gzip",
    host: config.listen.host,
    allowedOrigins: config.allowedOrigins,
    logger,
  });
  const port = await listen({ ...config.listen, handler });
  stack.defer(async () => {
    health.set(false);
    shutdown.abort(new ShutdownRequested());
    await port.close(CLOSE_GRACE_MS);
  });
  return port.url;
}
