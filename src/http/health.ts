import type { ServerResponse } from "node:http";
import type { ServiceImpl } from "@connectrpc/connect";
import { type Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/health/v1/health_pb.ts";
import { Failure } from "../task/errors.ts";
import { followHealth, type HealthState, whenAborted } from "./health-state.ts";
import { plainText } from "./plain-text.ts";
import type { Handler } from "./port.ts";

/**
 * grpc.health.v1 (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). All services of this server stand
 * and fall together with its database; "" is the server as a whole.
 */
export function healthService(health: HealthState, services: readonly string[]): ServiceImpl<typeof Health> {
  const known = new Set(["", ...services]);
  return {
    check({ service }) {
      if (!known.has(service)) throw unknownService(service);
      return { status: statusOf(health.serving) };
    },
    list() {
      const status = statusOf(health.serving);
      return { statuses: Object.fromEntries([...known].map((name) => [name, { status }])) };
    },
    async *watch({ service }, { signal }) {
      if (known.has(service)) {
        for await (const serving of followHealth(health, signal)) yield { status: statusOf(serving) };
      }
      // The document asks for an open stream, in case the service appears; here it never does.
      yield { status: Status.SERVICE_UNKNOWN };
      throw await whenAborted(signal);
    },
  };
}

function statusOf(serving: boolean): Status {
  return serving ? Status.SERVING : Status.NOT_SERVING;
}

function unknownService(service: string): Failure {
  return new Failure("not_found", `There is no service ${service.slice(0, 80)} here`, {
    reason: "SERVICE_UNKNOWN",
    resource: service,
  });
}

/** `GET /healthz` for load balancers that know no gRPC: 200 or 503, and a word for people. */
export function healthPage(health: HealthState): Handler {
  return (request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      (response as ServerResponse).setHeader("allow", "GET, HEAD");
      return plainText(response, 405, "GET only\n");
    }
    if (health.serving) plainText(response, 200, "serving\n");
    else plainText(response, 503, "not serving\n");
  };
}
