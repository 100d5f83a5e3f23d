import { createContextKey } from "@connectrpc/connect";
import { ANONYMOUS } from "../../task/caller.ts";

/** Address and port of the caller, as the listening socket sees them. Set by http/. */
export const peerKey = createContextKey("", { description: "peer" });

/** Id of the call in the server's log. Set by the first interceptor; empty until then. */
export const requestIdKey = createContextKey("", { description: "request id" });

/** Authenticated caller, set by http/; anonymous for methods that need no authentication. */
export const callerKey = createContextKey(ANONYMOUS, { description: "caller" });
