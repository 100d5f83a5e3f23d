/** The port cannot be had. The message says why and what to do, for whoever started the server. */
export class ListenError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ListenError";
  }
}

/** What to say for the codes of listen(2) and getaddrinfo(3). */
const ADVICE: Record<string, string> = {
  EADDRINUSE: "another program listens there. Stop it, or choose another port (0 takes any free one)",
  EACCES: "this user may not. Choose a port from 1024 on",
  EADDRNOTAVAIL: "this machine has no such address. Choose one of its own, or 127.0.0.1",
  ENOTFOUND: "there is no host of that name. Choose an address of this machine, or 127.0.0.1",
  EAI_AGAIN: "that name cannot be looked up now. Choose an address of this machine, or 127.0.0.1",
};

export function listenError(host: string, port: number, cause: unknown): ListenError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const why = ADVICE[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new ListenError(`Cannot listen on ${authority(host, port)}: ${why}`, { cause });
}

/** `host:port`, with an IPv6 address in brackets (RFC 3986). */
export function authority(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
