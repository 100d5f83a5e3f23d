import { constants } from "node:http2";
import { Permits } from "../async/permits.ts";
import { failureError } from "../rpc/errors/errors.ts";
import { Failure } from "../task/errors.ts";
import type { Connection } from "./connection.ts";
import { Crowd, type CrowdLimits } from "./crowd.ts";
import type { HttpResponse } from "./exchange.ts";
import { subnetOf } from "./subnet.ts";

/** Limits of open calls, streams among them. */
export interface CallLimits {
  /** Open calls of one caller. */
  calls: number;
  /** Bytes of the requests of these calls. */
  requestBytes: number;
  /** Calls of one caller with a large request that are read and served at once; others wait, without being read further. */
  large: number;
  /** Open calls without authentication, which only the health service accepts. */
  unknown: CrowdLimits;
}

export const CALL_LIMITS: CallLimits = {
  // Every stream of a session, and others beside it.
  calls: 12_000,
  requestBytes: 32 * 1024 * 1024,
  large: 2,
  unknown: { all: 1000, perSubnet: 200 },
};

/** Milliseconds after which a caller may try again. */
const RETRY_MS = 1000;

/** A call's share of its caller's limits, returned when it is disposed. */
export interface CallShare extends Disposable {
  /** Counts bytes of the request. @throws ConnectError RESOURCE_EXHAUSTED if the caller's requests have too many */
  hold(bytes: number): void;
  /** Resolves when the request may be read although it is large. */
  large(): Promise<void>;
}

interface Usage {
  calls: number;
  bytes: number;
  readonly permits: Permits;
}

export interface OpenCalls {
  /** Counts a call of an authenticated caller; a Failure if it has too many. */
  enter(caller: string): CallShare | Failure;
  /** Counts a call without authentication. If there are too many, the oldest of them is ended. */
  enterUnknown(connection: Connection, response: HttpResponse): CallShare;
}

/** Limits what one caller can make the server hold. Calls beyond that are refused before their body is read. */
export function limitCalls(limits: CallLimits): OpenCalls {
  const usages = new Map<string, Usage>();
  const unknown = new Crowd<HttpResponse>(limits.unknown);
  return {
    enter(caller) {
      const usage = usages.get(caller) ?? { calls: 0, bytes: 0, permits: new Permits(limits.large) };
      if (usage.calls >= limits.calls) return tooManyCalls(caller, limits.calls);
      usage.calls++;
      usages.set(caller, usage);
      let held = 0;
      let permit: Promise<() => void> | undefined;
      return {
        hold(bytes) {
          if (usage.bytes + bytes > limits.requestBytes)
            throw failureError(tooManyBytes(caller, limits.requestBytes));
          usage.bytes += bytes;
          held += bytes;
        },
        async large() {
          permit ??= usage.permits.acquire();
          await permit;
        },
        [Symbol.dispose]() {
          usage.calls--;
          usage.bytes -= held;
          void permit?.then((release) => release());
          if (usage.calls === 0) usages.delete(caller);
        },
      };
    },
    enterUnknown({ peer }, response) {
      const subnet = peer.kind === "network" ? subnetOf(peer.address) : "";
      const oldest = unknown.displacedBy(subnet);
      if (oldest) {
        unknown.delete(oldest);
        cutOff(oldest);
      }
      unknown.add(response, subnet);
      return {
        hold() {},
        async large() {},
        [Symbol.dispose]: () => unknown.delete(response),
      };
    },
  };
}

/** Ends a call without a response, since its stream may have one already. gRPC names the reset RESOURCE_EXHAUSTED. */
function cutOff(response: HttpResponse): void {
  if ("stream" in response) response.stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  else response.destroy();
}

const tooManyCalls = (caller: string, most: number) =>
  new Failure(
    "exhausted",
    `${caller} has ${most} open calls, the limit for one caller; end streams that are not needed, or try again later`,
    { reason: "RESOURCE_EXHAUSTED", resource: caller, retryAfterMs: RETRY_MS },
  );

const tooManyBytes = (caller: string, most: number) =>
  new Failure(
    "exhausted",
    `The open requests of ${caller} have more than ${most} bytes, the limit for one caller; send fewer at once`,
    { reason: "RESOURCE_EXHAUSTED", resource: caller, retryAfterMs: RETRY_MS },
  );
