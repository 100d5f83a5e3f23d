import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { type Logger, pino } from "pino";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { anyone } from "../../src/access/anyone.ts";
import { inTurn } from "../../src/access/authenticator.ts";
import { rootTokens, socketPeer } from "../../src/access/root-tokens.ts";
import type { BodyLimits } from "../../src/http/body.ts";
import type { CallLimits } from "../../src/http/call-limits.ts";
import type { ConnectionLimits } from "../../src/http/connections.ts";
import { type AllowedOrigins, withCors } from "../../src/http/cors.ts";
import type { HttpRequest } from "../../src/http/exchange.ts";
import { healthPage, healthService } from "../../src/http/health.ts";
import { createHealthState } from "../../src/http/health-state.ts";
import type { Hosts } from "../../src/http/hosts.ts";
import { type ListenOptions, listen } from "../../src/http/port.ts";
import { reflectionRoutes } from "../../src/http/reflection.ts";
import { rpcHandler } from "../../src/http/rpc-handler.ts";
import type { StreamLimits } from "../../src/http/stream-limits.ts";
import { interceptors } from "../../src/rpc/interceptors/all.ts";
import type { Validator } from "../../src/rpc/interceptors/validate.ts";

export interface TestServerOptions {
  tasks?: Partial<ServiceImpl<typeof TaskService>>;
  token?: string;
  rules?: Validator;
  patienceMs?: number;
  allowedOrigins?: AllowedOrigins;
  isPassing?: (error: unknown) => boolean;
  compressAnswers?: boolean;
  hosts?: Hosts;
  bodyLimits?: BodyLimits;
  callLimits?: Partial<CallLimits>;
  streamLimits?: Partial<StreamLimits>;
  limits?: Partial<ConnectionLimits>;
  keyPair?: ListenOptions["keyPair"];
  socketPath?: ListenOptions["socketPath"];
  withoutSocket?: ListenOptions["withoutSocket"];
  refused?: ListenOptions["refused"];
  /** Called with each request before it is served. */
  onRequest?: (request: HttpRequest) => void;
}

/** Starts all of http/ and the interceptors, as service/ puts them together, around the test's TaskService. */
export async function startServer(options: TestServerOptions = {}) {
  const lines: Record<string, unknown>[] = [];
  const shutdown = new AbortController();
  const health = createHealthState(true);
  const logger = memoryLogger(lines);
  const handler = rpcHandler({
    routes: (router) => routes(router, options, health),
    interceptors: interceptors({
      logger,
      rules: options.rules ?? (() => []),
      recordRefusal: async () => {},
      isPassing: options.isPassing,
    }),
    authenticate:
      options.token === undefined ? inTurn(anyone) : inTurn(socketPeer, rootTokens([options.token])),
    shutdownSignal: shutdown.signal,
    logger,
    pages: new Map([["/healthz", healthPage(health)]]),
    compressAnswers: options.compressAnswers,
    hosts: options.hosts,
    bodyLimits: options.bodyLimits,
    callLimits: options.callLimits,
    streamLimits: options.streamLimits,
  });
  const port = await listen({
    host: "127.0.0.1",
    port: 0,
    handler(request, response, connection) {
      options.onRequest?.(request);
      withCors(handler, options.allowedOrigins ?? [])(request, response, connection);
    },
    patienceMs: options.patienceMs,
    limits: options.limits,
    keyPair: options.keyPair,
    socketPath: options.socketPath,
    withoutSocket: options.withoutSocket,
    refused: options.refused,
  });
  const stop = async (graceMs = 0): Promise<void> => {
    shutdown.abort(new Error("test is over"));
    await port.close(graceMs);
  };
  return { port, url: port.url, health, lines, stop, shutdown, [Symbol.asyncDispose]: () => stop() };
}

function routes(
  router: ConnectRouter,
  options: TestServerOptions,
  health: ReturnType<typeof createHealthState>,
): void {
  router.service(TaskService, options.tasks ?? {});
  router.service(Health, healthService(new Map(["", TaskService.typeName].map((name) => [name, health]))));
  reflectionRoutes(router, [TaskService, Health], [file_google_rpc_error_details]);
}

export function memoryLogger(lines: Record<string, unknown>[]): Logger {
  return pino({ level: "debug" }, { write: (line: string) => void lines.push(JSON.parse(line)) });
}
