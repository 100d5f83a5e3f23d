import { createHash, timingSafeEqual } from "node:crypto";
import type { Interceptor } from "@connectrpc/connect";
import { Failure } from "../../task/errors.ts";

/** Whoever probes for life has no token: load balancers, Kubernetes. */
const OPEN = new Set(["grpc.health.v1.Health"]);
const BEARER = /^bearer +(\S+) *$/i;

/**
 * Lets a call pass only with `authorization: Bearer <token>` (RFC 6750). Without a token everyone passes: then the
 * port is a loopback one (http/safe-listen.ts). Hashes are compared, in constant time, so that neither the time nor
 * a difference in length tells anything of the token.
 */
export function bearerAuth(token: string | undefined): Interceptor {
  if (token === undefined) return (next) => next;
  const wanted = sha256(token);
  return (next) => async (request) => {
    if (!OPEN.has(request.service.typeName)) check(request.header.get("authorization"), wanted);
    return next(request);
  };
}

function check(header: string | null, wanted: Buffer): void {
  const given = BEARER.exec(header ?? "")?.[1];
  if (given === undefined) {
    throw refused(
      "TOKEN_MISSING",
      "This service wants the header `authorization: Bearer TOKEN`; there was none",
    );
  }
  if (!timingSafeEqual(sha256(given), wanted)) {
    throw refused("TOKEN_WRONG", "The bearer token is not the one that this service was given");
  }
}

function refused(reason: string, sentence: string): Failure {
  return new Failure("unauthenticated", sentence, { reason });
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
