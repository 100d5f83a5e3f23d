/**
 * Who makes a call. `name` is what is stored with everything that the call causes, and shown to people. Accounts will
 * be further kinds, whose names are resource names.
 */
export interface Caller {
  kind: "anonymous" | "token";
  name: string;
}

/** The server has no token: every program on this machine may call. */
export const ANONYMOUS: Caller = { kind: "anonymous", name: "anonymous" };

/** The call carried the server's token. */
export const TOKEN_HOLDER: Caller = { kind: "token", name: "token" };
