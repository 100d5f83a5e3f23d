import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { type AllowedOrigins, withCors } from "./cors.ts";
import type { Handler } from "./exchange.ts";
import { healthPage, healthService } from "./health.ts";
import type { Readable } from "./health-state.ts";
import type { Hosts } from "./hosts.ts";
import { reflectionRoutes } from "./reflection.ts";
import { type RpcHandlerOptions, rpcHandler } from "./rpc-handler.ts";

export interface HandlerOptions {
  /** Registers the services of the contract. */
  routes(router: ConnectRouter): void;
  interceptors: Interceptor[];
  /** Tells who a caller is, from the headers of its request. */
  authenticate: RpcHandlerOptions["authenticate"];
  /** Health of the server as a whole and of each service of the contract. */
  health: Readable;
  /** Health of other parts of the server, by the names under which health reports them. */
  partsHealth: ReadonlyMap<string, Readable>;
  shutdown: AbortSignal;
  /** Whether to compress responses for clients that accept it. */
  gzip: boolean;
  /** Host names under which the server may be called. */
  hosts: Hosts;
  refused: RpcHandlerOptions["refused"];
  streamLimits: RpcHandlerOptions["streamLimits"];
  /** Origins whose pages may call, besides pages of this server. */
  allowedOrigins: AllowedOrigins;
  logger: Logger;
}

/** Returns the handler of the port: the services of the contract, health, reflection and CORS. */
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
    authenticate: options.authenticate,
    shutdownSignal: shutdown,
    logger,
    hosts: options.hosts,
    refused: options.refused,
    streamLimits: options.streamLimits,
    pages: new Map([["/healthz", healthPage(health)]]),
    compressAnswers: options.gzip,
  });
  return withCors(handler, options.allowedOrigins);
}
