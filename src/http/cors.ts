import type { ServerResponse } from "node:http";
import { cors } from "@connectrpc/connect";
import { REQUEST_ID_HEADER } from "../rpc/interceptors/request-id.ts";
import type { Handler, HttpRequest } from "./exchange.ts";

/** Origins, such as `https://app.example.com`, whose pages may call from a browser; `*`: all. */
export type AllowedOrigins = "*" | readonly string[];

/** Seconds for which a browser may cache a preflight; Chromium caches for at most this long. */
const MAX_AGE_S = "7200";

/**
 * Adds cross-origin resource sharing (https://fetch.spec.whatwg.org/#http-cors-protocol), without which browsers let only
 * pages of this server call it. Tokens are sent in a header, so cookies and credentials are not allowed.
 */
export function withCors(handler: Handler, allowed: AllowedOrigins): Handler {
  if (allowed !== "*" && allowed.length === 0) return handler;
  return (request, response, connection) => {
    const { origin } = request.headers;
    // Responses of HTTP/1.1 and HTTP/2 have the same methods, but their types differ.
    const out = response as ServerResponse;
    if (allowed !== "*") out.setHeader("vary", "origin");
    const isAllowed = origin !== undefined && (allowed === "*" || allowed.includes(origin));
    if (!isAllowed) return handler(request, response, connection);
    out.setHeader("access-control-allow-origin", allowed === "*" ? "*" : origin);
    if (!isPreflight(request)) {
      out.setHeader("access-control-expose-headers", [...cors.exposedHeaders, REQUEST_ID_HEADER].join(", "));
      return handler(request, response, connection);
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
