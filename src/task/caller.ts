import type { Grant } from "./roles.ts";

/** The caller of an RPC. `name` is stored with each task and change that the call causes, and is shown to users. */
export interface Caller {
  kind: "anonymous" | "root" | "account";
  /** For an account its resource name, `accounts/{account}`. */
  name: string;
  grants: readonly Grant[];
  /** Hash of an account's token, by which access/ finds the caller again. */
  tokenHash?: string;
}

const EVERYTHING: readonly Grant[] = [{ roles: ["ADMIN"], project: null, template: null }];

/** The server was started with --no-auth: every program on this machine may call. */
export const ANONYMOUS: Caller = { kind: "anonymous", name: "anonymous", grants: EVERYTHING };

/** The call carried a root token (SIGNALMAN_TOKEN), or came over the unix socket of the server's user. */
export const ROOT: Caller = { kind: "root", name: "root", grants: EVERYTHING };

/** The cause of a change, in the form that the change's audit event stores. */
export interface Actor {
  /** Name of the caller. */
  caller: string;
  /** Address and port of the caller; empty: the service itself. */
  address: string;
  /** `Service/Method` of the call, or the name of an action of the service, such as `autorun`. */
  method: string;
  requestId: string;
  /** Names of the fields of the request that are set, never their values. */
  fields: readonly string[];
}
