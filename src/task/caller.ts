/**
 * The caller of an RPC. `name` is stored with each task and change that the call causes, and is shown to users.
 * Accounts will be further kinds, whose names are resource names.
 */
export interface Caller {
  kind: "anonymous" | "root";
  name: string;
}

/** The server was started with --no-auth: every program on this machine may call. */
export const ANONYMOUS: Caller = { kind: "anonymous", name: "anonymous" };

/** The call carried a root token (SIGNALMAN_TOKEN), or came over the unix socket of the server's user. */
export const ROOT: Caller = { kind: "root", name: "root" };
