import { timingSafeEqual } from "node:crypto";
import { ROOT } from "../task/caller.ts";
import type { Authenticator } from "./authenticator.ts";
import { tokenHash } from "./token-text.ts";

/**
 * Recognizes the tokens of the root account: SIGNALMAN_TOKEN, or the token that the server made. Several are valid at once
 * while one replaces the other. Hashes of all of them are compared in constant time, so that neither the duration nor the
 * length reveals anything about a token.
 */
export function rootTokens(tokens: readonly string[]): Authenticator {
  const wanted = tokens.map(tokenHash);
  return async ({ bearer }) => {
    if (bearer === undefined) return undefined;
    const given = tokenHash(bearer);
    const matches = wanted.filter((hash) => timingSafeEqual(given, hash));
    return matches.length > 0 ? ROOT : undefined;
  };
}

/** Recognizes a caller over the unix socket without a token as the root account: file permissions keep other users out. */
export const socketPeer: Authenticator = async ({ bearer, peer }) =>
  peer.kind === "socket" && bearer === undefined ? ROOT : undefined;
