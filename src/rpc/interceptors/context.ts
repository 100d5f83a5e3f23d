import { createContextKey } from "@connectrpc/connect";

/** Address and port of whoever called, as the port saw it. Set by http/; handlers may read it. */
export const peerKey = createContextKey("", { description: "peer" });

/** The id under which the log knows this call. Set by the first interceptor; empty until then. */
export const requestIdKey = createContextKey("", { description: "request id" });
