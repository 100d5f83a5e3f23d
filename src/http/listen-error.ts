/** The port cannot be opened. The message tells the operator why and what to do. */
export class ListenError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ListenError";
  }
}

/** Reason and advice for error codes of listen(2) and getaddrinfo(3). */
const ADVICE: Record<string, string> = {
  EADDRINUSE: "another program listens there. Stop it, or choose another port (0: any free one)",
  EACCES: "this user is not permitted to. Choose a port of at least 1024",
  EADDRNOTAVAIL: "this machine does not have this address. Choose an address of this machine, or 127.0.0.1",
  ENOTFOUND: "no host has this name. Choose an address of this machine, or 127.0.0.1",
  EAI_AGAIN: "this name cannot be resolved now. Choose an address of this machine, or 127.0.0.1",
};

export function listenError(host: string, port: number, cause: unknown): ListenError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const why = ADVICE[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new ListenError(`Cannot listen on ${authority(host, port)}: ${why}`, { cause });
}

/** Returns `host:port`, with an IPv6 address in brackets (RFC 3986). */
export function authority(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
