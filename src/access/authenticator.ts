import type { IncomingHttpHeaders } from "node:http";
import type { Caller } from "../task/caller.ts";
import { Failure } from "../task/errors.ts";
import type { Reason } from "../task/reasons.ts";

/*
 * The room access/ decides who a caller is. http/ asks it with the headers of a request before a byte of the body is read;
 * the caller then travels to the handlers in the context of the call. Each kind of credential has an authenticator of its own:
 * the root tokens, the tokens of accounts, the peer of the unix socket, and none at all on a server with --no-auth.
 * callers.ts keeps the accounts whose tokens are in use, rights.ts says where a caller has a permission.
 * rpc/ decides which permission a method requires.
 */

/** Other end of a connection. `socket`: a process that could open the unix socket, which only the server's user can. */
export type Peer = { kind: "network"; address: string } | { kind: "socket" };

/** Facts about a caller that are known before the body of its request is read. */
export interface Credentials {
  headers: IncomingHttpHeaders;
  /** Token of the header `authorization: Bearer TOKEN` (RFC 6750). */
  bearer: string | undefined;
  peer: Peer;
}

/**
 * Returns the caller, or a Failure of kind `unauthenticated` that refuses the call. undefined: the credentials are of another
 * kind, for which the next authenticator is asked. Rejects only if it cannot tell, as without a database.
 */
export type Authenticator = (given: Credentials) => Promise<Caller | Failure | undefined>;

const BEARER = /^bearer +(\S+) *$/i;

export function credentialsOf(headers: IncomingHttpHeaders, peer: Peer): Credentials {
  return { headers, peer, bearer: BEARER.exec(headers.authorization ?? "")?.[1] };
}

/** Asks authenticators in their order. The first that knows the credentials decides; a call that none knows is refused. */
export function inTurn(
  ...authenticators: readonly Authenticator[]
): (given: Credentials) => Promise<Caller | Failure> {
  return async (given) => {
    for (const authenticate of authenticators) {
      const verdict = await authenticate(given);
      if (verdict !== undefined) return verdict;
    }
    if (given.bearer === undefined)
      return refused(
        "TOKEN_MISSING",
        "The header `authorization: Bearer TOKEN` is missing; send it with a token of this server or of an account",
      );
    return refused(
      "TOKEN_WRONG",
      "The bearer token is not the token of this server; compare it with its SIGNALMAN_TOKEN, or `token` in its data folder",
    );
  };
}

export function refused(reason: Reason, sentence: string): Failure {
  return new Failure("unauthenticated", sentence, { reason });
}
