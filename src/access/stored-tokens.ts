import { type Authenticator, refused } from "./authenticator.ts";
import type { Callers } from "./callers.ts";
import { isMarked } from "./token-text.ts";

/** Recognizes the tokens of accounts. */
export function storedTokens({ verify }: Pick<Callers, "verify">): Authenticator {
  return async ({ bearer }) => {
    if (bearer === undefined || !isMarked(bearer)) return undefined;
    return (
      (await verify(bearer)) ??
      refused(
        "TOKEN_WRONG",
        "The bearer token is of no account: it is unknown, revoked or expired; create a new one",
      )
    );
  };
}
