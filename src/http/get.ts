import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import type { HttpRequest } from "./exchange.ts";
import { faultOfHost, type Hosts } from "./hosts.ts";

/** Returns the HTTP methods of an RPC: POST, and for unary reads GET (Connect protocol, "Unary-Get-Request"). */
export function httpMethodsOf(rpc: DescMethod): string[] {
  const isRead = rpc.methodKind === "unary" && rpc.idempotency === Idempotency.NO_SIDE_EFFECTS;
  return isRead ? ["GET", "POST"] : ["POST"];
}

/**
 * Returns why a GET is refused; undefined if it is allowed. For a GET a browser sends neither a preflight nor the Origin
 * header, so the checks for POST do not apply. Two headers that a page cannot set are checked instead: Sec-Fetch-Site tells
 * whether the page is of this server, and Host reveals a foreign name that resolves to this machine (DNS rebinding).
 */
export function faultOfGet(request: HttpRequest, names: Hosts["names"]): string | undefined {
  const site = request.headers["sec-fetch-site"] ?? "same-origin";
  if (site !== "same-origin") {
    return `GET from a page of another site is refused; got Sec-Fetch-Site "${site.slice(0, 40)}", expected "same-origin" or none; call by POST`;
  }
  const fault = faultOfHost(hostOf(request), names);
  return fault && `GET for an unknown host is refused; ${fault}; call by POST`;
}

/** Returns the host that a request names. */
export function hostOf({ headers }: HttpRequest): string | undefined {
  const authority = headers[":authority"];
  return typeof authority === "string" ? authority : headers.host;
}
