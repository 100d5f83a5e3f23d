import type { IncomingMessage } from "node:http";

/**
 * Gives a request in absolute form (`POST http://host/path HTTP/1.1`), as clients of a proxy send it, the path and the
 * Host that it would have in origin form. Every server has to take both; the target's host overrides the header Host
 * (RFC 9112, section 3.2.2).
 */
export function toOriginForm(request: IncomingMessage): void {
  const { url = "" } = request;
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return;
  const { host, pathname, search } = new URL(url);
  request.url = pathname + search;
  request.headers.host = host;
}
