import { createContextKey } from "@connectrpc/connect";
import { ANONYMOUS } from "../../task/caller.ts";

/** The caller's address and port, as seen by the listening socket. Set by http/. */
export const peerKey = createContextKey("", { description: "peer" });

/** The id of the call in the server's log. Set by the first interceptor; empty until then. */
export const requestIdKey = createContextKey("", { description: "request id" });

/** The caller, once the authentication has passed; anonymous until then. */
export const callerKey = createContextKey(ANONYMOUS, { description: "caller" });
