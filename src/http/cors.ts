import type { ServerResponse } from "node:http";
import { cors } from "@connectrpc/connect";
import { REQUEST_ID_HEADER } from "../rpc/interceptors/request-id.ts";
import type { Handler, HttpRequest } from "./port.ts";

/** Pages of these origins, such as `https://app.example.com`, or of all of them, may call from a browser. */
export type AllowedOrigins = "*" | readonly string[];

/** How long a browser may remember a preflight, in seconds; Chromium does for no longer. */
const MAX_AGE_S = "7200";

/**
 * Cross-origin resource sharing (https://fetch.spec.whatwg.org/#http-cors-protocol): without it, browsers let only pages
 * from the server itself call it. Tokens travel in a header, so that no cookies and no credentials are involved.
 */
export function withCors(handler: Handler, allowed: AllowedOrigins): Handler {
  if (allowed !== "*" && allowed.length === 0) return handler;
  return (request, response) => {
    const { origin } = request.headers;
    const out = response as ServerResponse; // both have the same methods, and types that do not meet
    if (allowed !== "*") out.setHeader("vary", "origin");
    const isAllowed = origin !== undefined && (allowed === "*" || allowed.includes(origin));
    if (!isAllowed) return handler(request, response);
    out.setHeader("access-control-allow-origin", allowed === "*" ? "*" : origin);
    if (!isPreflight(request)) {
      out.setHeader("access-control-expose-headers", [...cors.exposedHeaders, REQUEST_ID_HEADER].join(", "));
      return handler(request, response);
    }
    out.writeHead(204, {
      "access-control-allow-methods": cors.allowedMethods.join(", "),
      "access-control-allow-headers": [...cors.allowedHeaders, "Authorization", REQUEST_ID_HEADER].join(", "),
      "access-control-max-age": MAX_AGE_S,
    });
    out.end();
  };
}

function isPreflight({ method, headers }: HttpRequest): boolean {
  return method === "OPTIONS" && headers["access-control-request-method"] !== undefined;
}
