import { createHash, timingSafeEqual } from "node:crypto";
import type { Interceptor } from "@connectrpc/connect";
import { ANONYMOUS, TOKEN_HOLDER } from "../../task/caller.ts";
import { Failure } from "../../task/errors.ts";
import type { Reason } from "../../task/reasons.ts";
import { permissionOf } from "../permissions.ts";
import { callerKey } from "./context.ts";

const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/;
const BEARER = /^bearer +(\S+) *$/i;

/**
 * Refuses calls without `authorization: Bearer <token>` (RFC 6750), and records the caller for the handlers. If the server has
 * no token, every program on this machine may call; the port is then on a loopback address (http/safe-listen.ts). Hashes of
 * the tokens are compared in constant time, so that neither the duration nor the length reveals anything about the token.
 */
export function bearerAuth(token: string | undefined): Interceptor {
  const [check, caller] =
    token === undefined ? [checkOrigin, ANONYMOUS] : [checkToken(sha256(token)), TOKEN_HOLDER];
  return (next) => async (request) => {
    if (permissionOf(request.method) !== "public") {
      check(request.header);
      request.contextValues.set(callerKey, caller);
    }
    return next(request);
  };
}

/**
 * Refuses calls from web pages of other sites. Without this a page of any site could call the loopback port through the user's
 * browser, under a host name of that site (DNS rebinding), and run programs here. Browsers send the page's origin with every
 * POST (Fetch standard).
 */
function checkOrigin(header: Headers): void {
  const origin = header.get("origin");
  if (origin !== null && !LOOPBACK_ORIGIN.test(origin)) {
    throw refused(
      "ORIGIN_REFUSED",
      `Web pages of ${origin.slice(0, 80)} may not call a server without a token; give it a token and name them in --allowed-origins`,
    );
  }
}

function checkToken(wanted: Buffer): (header: Headers) => void {
  return (header) => {
    const given = BEARER.exec(header.get("authorization") ?? "")?.[1];
    if (given === undefined) {
      throw refused(
        "TOKEN_MISSING",
        "The header `authorization: Bearer TOKEN` is missing; send it with the token of this server",
      );
    }
    if (!timingSafeEqual(sha256(given), wanted)) {
      throw refused("TOKEN_WRONG", "The bearer token is not the token of this server");
    }
  };
}

function refused(reason: Reason, sentence: string): Failure {
  return new Failure("unauthenticated", sentence, { reason });
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
