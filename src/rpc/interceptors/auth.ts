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
 * Lets a call pass only with `authorization: Bearer <token>` (RFC 6750), and records the caller for the handlers.
 * Without a token every program on this machine may call: the port is a loopback one then (http/safe-listen.ts). Hashes
 * are compared, in constant time, so that neither the time nor a difference in length tells anything of the token.
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
 * Browsers are no programs of this machine: a page of any site can call a loopback port under a name of its own
 * ("DNS rebinding"), and then run programs here. They name the page's site with every POST (Fetch standard).
 */
function checkOrigin(header: Headers): void {
  const origin = header.get("origin");
  if (origin !== null && !LOOPBACK_ORIGIN.test(origin)) {
    throw refused(
      "ORIGIN_REFUSED",
      `Without a token, pages of ${origin.slice(0, 80)} may not call this service`,
    );
  }
}

function checkToken(wanted: Buffer): (header: Headers) => void {
  return (header) => {
    const given = BEARER.exec(header.get("authorization") ?? "")?.[1];
    if (given === undefined) {
      throw refused(
        "TOKEN_MISSING",
        "This service wants the header `authorization: Bearer TOKEN`; there was none",
      );
    }
    if (!timingSafeEqual(sha256(given), wanted)) {
      throw refused("TOKEN_WRONG", "The bearer token is not the one that this service was given");
    }
  };
}

function refused(reason: Reason, sentence: string): Failure {
  return new Failure("unauthenticated", sentence, { reason });
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
