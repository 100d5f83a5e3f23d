import type { ConnectRouter } from "@connectrpc/connect";
import type { Callers } from "../access/callers.ts";
import { localSocketPath } from "../access/local-socket.ts";
import { isLoopback } from "../access/loopback.ts";
import type { Config } from "../config.ts";
import { createHandler } from "../http/handler.ts";
import type { HealthState, Readable } from "../http/health-state.ts";
import type { Hosts } from "../http/hosts.ts";
import { listen } from "../http/port.ts";
import type { KeyPair } from "../http/tls.ts";
import { interceptors } from "../rpc/interceptors/all.ts";
import { violationsOf } from "../rpc/rules/check.ts";
import { ShutdownError } from "../runner/control.ts";
import { isDatabaseAway } from "../store/postgres/transient-errors.ts";
import { createRefusalLog } from "../telemetry/refusal-log.ts";
import { openAccess } from "./access.ts";
import type { ServiceContext } from "./context.ts";
import { followKeyPair } from "./key-pair.ts";

/** Milliseconds that running calls have to end at shutdown. */
const CLOSE_GRACE_MS = 2000;

interface PortParts {
  health: HealthState;
  partsHealth: ReadonlyMap<string, Readable>;
  /** Certificate and key of the port; undefined: no TLS. */
  keyPair: KeyPair | undefined;
}

/** Opens the port with health, reflection and these routes. Resolves to its URL. */
export async function openPort(
  context: ServiceContext,
  callers: Pick<Callers, "verify">,
  routes: (router: ConnectRouter) => void,
  { health, partsHealth, keyPair }: PortParts,
  stack: AsyncDisposableStack,
): Promise<string> {
  const { config, logger, recordRefusal } = context;
  const refused = createRefusalLog(logger);
  const shutdown = new AbortController();
  const handler = createHandler({
    routes,
    interceptors: interceptors({
      logger,
      rules: violationsOf,
      recordRefusal,
      isPassing: isDatabaseAway,
    }),
    authenticate: await openAccess(context, callers),
    health,
    partsHealth,
    shutdown: shutdown.signal,
    gzip: config.compression === "gzip",
    hosts: hostsOf(config),
    refused,
    streamLimits: { maxAgeMs: config.streamMaxAge },
    allowedOrigins: config.allowedOrigins,
    logger,
  });
  const port = await listen({
    ...config.listen,
    handler,
    keyPair,
    socketPath: localSocketPath,
    withoutSocket: (err) =>
      logger.warn(
        { err },
        `the command line on this machine needs a token, since there is no unix socket: ${err.message}`,
      ),
    refused: (reason, peer) => refused({ reason, peer }),
  });
  if (port.socket)
    logger.info({ socket: port.socket }, `programs of this user call without a token at unix:${port.socket}`);
  stack.defer(async () => {
    health.set(false);
    shutdown.abort(new ShutdownError());
    await port.close(CLOSE_GRACE_MS);
  });
  if (keyPair) {
    const follower = followKeyPair(config, keyPair, port.useKeyPair, logger);
    stack.defer(() => follower.stop());
    follower.start();
  }
  return port.url;
}

/**
 * Returns the host names of this server. They are checked on a loopback address, at which only programs of this machine call,
 * and wherever the operator names them.
 */
function hostsOf({ listen: { host }, allowedHosts, allowedOrigins }: Config): Hosts {
  const origins = allowedOrigins === "*" ? [] : allowedOrigins.map((origin) => new URL(origin).hostname);
  const isLocal = host === "localhost" || isLoopback(host);
  if (allowedHosts === "*") return { checked: false, names: "*" };
  return {
    checked: isLocal || allowedHosts !== undefined,
    names: [host, ...origins, ...(allowedHosts ?? [])],
  };
}
