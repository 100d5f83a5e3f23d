import type { ServerResponse } from "node:http";
import type { HttpResponse } from "./exchange.ts";

/** Sends a response with a short text. */
export function plainText(response: HttpResponse, status: number, text: string): void {
  const out = response as ServerResponse; // writeHead of HTTP/1.1 and HTTP/2 takes the same arguments, but the types differ
  out.writeHead(status, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
  out.end(text);
}
