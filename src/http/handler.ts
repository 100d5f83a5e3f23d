import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { type AllowedOrigins, withCors } from "./cors.ts";
import { healthPage, healthService } from "./health.ts";
import type { Readable } from "./health-state.ts";
import type { Handler } from "./port.ts";
import { reflectionRoutes } from "./reflection.ts";
import { rpcHandler } from "./rpc-handler.ts";

export interface HandlerOptions {
  /** The services of the contract. */
  routes(router: ConnectRouter): void;
  interceptors: Interceptor[];
  /** Of the server as a whole and of each service of the contract. */
  health: Readable;
  /** Of parts of the server that are no services of the contract, by the names that health gives them. */
  partsHealth: ReadonlyMap<string, Readable>;
  shutdown: AbortSignal;
  /** Compress answers for clients that offer it. */
  gzip: boolean;
  /** The name or address that the port is opened on. */
  host: string;
  /** Besides pages of this server itself. */
  allowedOrigins: AllowedOrigins;
  logger: Logger;
}

/** Everything on the port: the contract, health, reflection. */
export function createHandler(options: HandlerOptions): Handler {
  const { health, interceptors, shutdown, logger } = options;
  const handler = rpcHandler({
    routes(router) {
      options.routes(router);
      const services = [...new Set(router.handlers.map((rpc) => rpc.service))];
      const names = ["", ...services.map((service) => service.typeName)];
      const states = new Map(names.map((name) => [name, health]));
      router.service(Health, healthService(new Map([...states, ...options.partsHealth])));
      reflectionRoutes(router, [...services, Health], [file_google_rpc_error_details]);
    },
    interceptors,
    shutdownSignal: shutdown,
    logger,
    getHosts: [options.host, ...hostsOf(options.allowedOrigins)],
    pages: new Map([["/healthz", healthPage(health)]]),
    compressAnswers: options.gzip,
  });
  return withCors(handler, options.allowedOrigins);
}

function hostsOf(origins: AllowedOrigins): string[] {
  return origins === "*" ? [] : origins.map((origin) => new URL(origin).hostname);
}
