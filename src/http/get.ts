import { isIP } from "node:net";
import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import type { HttpRequest } from "./port.ts";

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
export function faultOfGet(request: HttpRequest, hosts: readonly string[]): string | undefined {
  const site = request.headers["sec-fetch-site"] ?? "same-origin";
  if (site !== "same-origin") {
    return `GET from a page of another site is refused; got Sec-Fetch-Site "${site.slice(0, 40)}", expected "same-origin" or none; call by POST`;
  }
  const host = request.headers[":authority"] ?? request.headers.host ?? "";
  if (isKnownHost(`${host}`, hosts)) return undefined;
  const known = ["localhost", "IP addresses", ...hosts].join(", ");
  return `GET for an unknown host is refused; got Host "${host.slice(0, 80)}", expected one of ${known}; call by POST`;
}

/** True for IP addresses and loopback names, which DNS rebinding cannot use, and for the configured names. */
function isKnownHost(authority: string, hosts: readonly string[]): boolean {
  if (!URL.canParse(`http://${authority}`)) return false;
  const name = new URL(`http://${authority}`).hostname;
  if (isIP(name.replace(/^\[|\]$/g, "")) !== 0) return true;
  return /^(.+\.)?localhost\.?$/.test(name) || hosts.some((host) => host.toLowerCase() === name);
}
