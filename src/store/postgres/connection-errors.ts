/** Error codes of postgres.js and of the system for a connection that was lost or could not be opened. */
const CODES = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT", // the socket file of a PostgreSQL that is being started
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "ENOTFOUND",
]);

/** Tells whether an error, or one of its causes, is a lost or refused connection. */
export function isConnectionLost(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if ("code" in e && CODES.has(String(e.code))) return true;
  }
  return false;
}

/**
 * Tells whether an uncaught error comes from postgres.js 3.4.9 writing to a connection that has just been lost
 * (porsager/postgres#1208). It is thrown in a callback, where it cannot be caught. The query itself is rejected in
 * another way, so the process may go on.
 */
export function isDriverSlip(error: unknown): boolean {
  if (!(error instanceof TypeError)) return false;
  const place = error.stack?.split("\n").find((line) => /^\s+at /.test(line)) ?? "";
  return /[\\/]postgres[\\/](cjs[\\/])?src[\\/]connection\.js:/.test(place);
}
