import type { ServerResponse } from "node:http";
import type { ServiceImpl } from "@connectrpc/connect";
import { type Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/health/v1/health_pb.ts";
import { Failure } from "../task/errors.ts";
import type { Handler } from "./exchange.ts";
import { followHealth, type Readable, whenAborted } from "./health-state.ts";
import { plainText } from "./plain-text.ts";

/**
 * Returns the service grpc.health.v1 (https://github.com/grpc/grpc/blob/master/doc/health-checking.md) for `services`; "" is
 * the server as a whole.
 */
export function healthService(services: ReadonlyMap<string, Readable>): ServiceImpl<typeof Health> {
  return {
    check({ service }) {
      const health = services.get(service);
      if (!health) throw unknownService(service);
      return { status: statusOf(health.serving) };
    },
    list() {
      const status = (health: Readable) => ({ status: statusOf(health.serving) });
      return { statuses: Object.fromEntries([...services].map(([name, health]) => [name, status(health)])) };
    },
    async *watch({ service }, { signal }) {
      const health = services.get(service);
      if (health) {
        for await (const serving of followHealth(health, signal)) yield { status: statusOf(serving) };
      }
      // The specification requires an open stream, in case the service appears later; here none does.
      yield { status: Status.SERVICE_UNKNOWN };
      throw await whenAborted(signal);
    },
  };
}

function statusOf(serving: boolean): Status {
  return serving ? Status.SERVING : Status.NOT_SERVING;
}

function unknownService(service: string): Failure {
  return new Failure(
    "not_found",
    `There is no service ${service.slice(0, 80)} here; list the services by reflection`,
    {
      reason: "SERVICE_UNKNOWN",
      resource: service,
    },
  );
}

/** Answers `GET /healthz`, for load balancers without gRPC, with 200 or 503 and a short text. */
export function healthPage(health: Readable): Handler {
  return (request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      (response as ServerResponse).setHeader("allow", "GET, HEAD");
      return plainText(response, 405, "GET only\n");
    }
    if (health.serving) plainText(response, 200, "serving\n");
    else plainText(response, 503, "not serving\n");
  };
}
