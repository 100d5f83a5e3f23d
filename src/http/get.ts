import { isIP } from "node:net";
import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import type { HttpRequest } from "./port.ts";

/** The HTTP methods by which an RPC may be called: POST, and GET for unary reads (Connect protocol, "Unary-Get-Request"). */
export function httpMethodsOf(rpc: DescMethod): string[] {
  const isRead = rpc.methodKind === "unary" && rpc.idempotency === Idempotency.NO_SIDE_EFFECTS;
  return isRead ? ["GET", "POST"] : ["POST"];
}

/**
 * Says why a GET is refused; undefined if it may be answered. A browser sends a GET for any page without a preflight and
 * without the Origin header, so that the checks of a POST do not see it. Two other headers, which a page cannot set,
 * stand in: Sec-Fetch-Site names the relation of the page to this server, and Host is the attacker's own name where that
 * name was pointed at this machine ("DNS rebinding").
 */
export function faultOfGet(request: HttpRequest, hosts: readonly string[]): string | undefined {
  const site = request.headers["sec-fetch-site"] ?? "same-origin";
  if (site !== "same-origin") {
    return `GET is answered for pages of this server alone, and Sec-Fetch-Site says "${site.slice(0, 40)}"; call by POST`;
  }
  const host = request.headers[":authority"] ?? request.headers.host ?? "";
  if (isKnownHost(`${host}`, hosts)) return undefined;
  const known = ["localhost", "IP addresses", ...hosts].join(", ");
  return `GET is answered for known hosts alone (${known}), and Host says "${host.slice(0, 80)}"; call by POST`;
}

/** A page reaches no IP address and no loopback name by DNS rebinding; of other names, only the configured ones count. */
function isKnownHost(authority: string, hosts: readonly string[]): boolean {
  if (!URL.canParse(`http://${authority}`)) return false;
  const name = new URL(`http://${authority}`).hostname;
  if (isIP(name.replace(/^\[|\]$/g, "")) !== 0) return true;
  return /^(.+\.)?localhost\.?$/.test(name) || hosts.some((host) => host.toLowerCase() === name);
}
