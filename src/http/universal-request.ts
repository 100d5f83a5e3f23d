import type { ContextValues } from "@connectrpc/connect";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import type { HttpRequest, HttpResponse } from "./exchange.ts";

/** Longest delay of a timer in Node, 24.8 days. A timer with a longer delay fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Units of gRPC timeouts in milliseconds (PROTOCOL-HTTP2.md, "Timeout"). */
const UNIT_MS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
/** Headers in which clients list the compressions that they accept. */
const ACCEPT_HEADERS = ["accept-encoding", "grpc-accept-encoding", "connect-accept-encoding"];

export interface UniversalRequestOptions {
  /** Whether responses may be compressed if the client accepts it. */
  compressAnswers: boolean;
  contextValues: ContextValues;
  readBody: (request: HttpRequest) => AsyncIterable<Uint8Array>;
}

/** A request in the form that Connect takes, with the bytes of its body. */
export type HttpCall = UniversalServerRequest & { body: AsyncIterable<Uint8Array> };

/** Returns a request in the form that Connect takes; undefined if its Host or :authority is missing or invalid. */
export function universalRequestOf(
  request: HttpRequest,
  response: HttpResponse,
  { compressAnswers, contextValues, readBody }: UniversalRequestOptions,
): HttpCall | undefined {
  try {
    const call = universalRequestFromNodeRequest(request, response, undefined, contextValues);
    dropLongTimeout(call.header);
    // Connect has one list of compressions for both directions; this leaves compressed requests allowed, but not responses.
    if (!compressAnswers) for (const name of ACCEPT_HEADERS) call.header.set(name, "identity");
    return { ...call, body: readBody(request) };
  } catch {
    return undefined;
  }
}

/** Removes a deadline that is too long for a timer; the client enforces it and ends the call. */
function dropLongTimeout(header: Headers): void {
  const [, amount, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(header.get("grpc-timeout") ?? "") ?? [];
  if (Number(amount) * (UNIT_MS[unit] ?? 0) > MAX_TIMER_MS) header.delete("grpc-timeout");
  if (Number(header.get("connect-timeout-ms")) > MAX_TIMER_MS) header.delete("connect-timeout-ms");
}
