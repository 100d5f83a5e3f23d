import type { ServerResponse } from "node:http";
import type { HttpResponse } from "./port.ts";

/** Answers with a short text. */
export function plainText(response: HttpResponse, status: number, text: string): void {
  const out = response as ServerResponse; // writeHead of both has the same shape, and types that do not meet
  out.writeHead(status, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
  out.end(text);
}
