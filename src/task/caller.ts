/**
 * The caller of an RPC. `name` is stored with each task and change that the call causes, and is shown to users.
 * Accounts will be further kinds, whose names are resource names.
 */
export interface Caller {
  kind: "anonymous" | "token";
  name: string;
}

/** The server has no token: every program on this machine may call. */
export const ANONYMOUS: Caller = { kind: "anonymous", name: "anonymous" };

/** The call carried the server's token. */
export const TOKEN_HOLDER: Caller = { kind: "token", name: "token" };
