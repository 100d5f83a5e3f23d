import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import { compressionGzip } from "@connectrpc/connect-node";
import type { Logger } from "pino";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { AppService } from "../../gen/signalman/v1/app_service_pb.ts";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { EnvironmentService } from "../../gen/signalman/v1/environment_pb.ts";
import { ProjectService } from "../../gen/signalman/v1/project_pb.ts";
import { RepositoryService } from "../../gen/signalman/v1/repository_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../gen/signalman/v1/template_pb.ts";
import { type AllowedOrigins, withCors } from "./cors.ts";
import { healthPage, healthService } from "./health.ts";
import type { HealthState } from "./health-state.ts";
import type { Handler } from "./port.ts";
import { reflectionRoutes } from "./reflection.ts";
import { rpcHandler } from "./rpc-handler.ts";

const SERVICES = [
  TaskService,
  CatalogService,
  ProjectService,
  RepositoryService,
  EnvironmentService,
  TemplateService,
  AppService,
];

export interface HandlerOptions {
  /** The services of the contract. */
  routes(router: ConnectRouter): void;
  interceptors: Interceptor[];
  health: HealthState;
  shutdown: AbortSignal;
  /** Compress answers for clients that offer it. */
  gzip: boolean;
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
      router.service(
        Health,
        healthService(
          health,
          SERVICES.map((service) => service.typeName),
        ),
      );
      reflectionRoutes(router, [...SERVICES, Health], [file_google_rpc_error_details]);
    },
    interceptors,
    shutdownSignal: shutdown,
    logger,
    pages: new Map([["/healthz", healthPage(health)]]),
    compression: options.gzip ? [compressionGzip] : [],
  });
  return withCors(handler, options.allowedOrigins);
}
