import type { IncomingMessage } from "node:http";

/**
 * Converts a request in absolute form (`POST http://host/path HTTP/1.1`), as clients of a proxy send it, to origin form. Servers
 * must accept both forms, and the host of the target overrides the header Host (RFC 9112, section 3.2.2).
 */
export function toOriginForm(request: IncomingMessage): void {
  const { url = "" } = request;
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return;
  const { host, pathname, search } = new URL(url);
  request.url = pathname + search;
  request.headers.host = host;
}
