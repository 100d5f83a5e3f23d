const DEFAULT_PORT = "8480";
const FORMS = "HOST:PORT, http://HOST:PORT, https://HOST:PORT or unix:/PATH";
/** Host that requests over a unix socket name. */
const LOCAL = "http://localhost";

/**
 * Returns the base URL of a server that a person named. A bare `HOST` has port 8480. For `unix:/PATH` it is that of localhost.
 * @throws TypeError whose message begins with `server`
 */
export function serverUrl(server: string): string {
  if (socketPathOf(server) !== undefined) return LOCAL;
  const hasScheme = server.includes("://");
  const text = hasScheme ? server : `http://${server}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url && url.pathname === "/" && !url.search && !url.hash && !url.username && !url.password;
  if (!isPlain || !/^https?:$/.test(url.protocol))
    throw new TypeError(`server must be ${FORMS}, not ${server}`);
  // URL drops `:80`, the default port of the scheme, so the given text is searched for a port.
  if (!hasScheme && !/:\d+$/.test(server)) url.port = DEFAULT_PORT;
  return url.origin;
}

/** Returns the path of the unix socket that `unix:/PATH` names, as gRPC clients write it; undefined for other servers. */
export function socketPathOf(server: string): string | undefined {
  return /^unix:(?:\/\/)?(\/.+)$/.exec(server)?.[1];
}
