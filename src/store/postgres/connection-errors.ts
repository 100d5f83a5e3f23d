/** Codes of postgres.js and of the system: the connection is gone, or could not be made. */
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

export function isConnectionLost(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if ("code" in e && CODES.has(String(e.code))) return true;
  }
  return false;
}

/**
 * postgres.js 3.4.9 writes to connections that have just been lost, in a callback where nobody can catch the error
 * (porsager/postgres#1208). Whoever waits for what it wrote is told in another way: the process may go on.
 */
export function isDriverSlip(error: unknown): boolean {
  if (!(error instanceof TypeError)) return false;
  const place = error.stack?.split("\n").find((line) => /^\s+at /.test(line)) ?? "";
  return /[\\/]postgres[\\/](cjs[\\/])?src[\\/]connection\.js:/.test(place);
}
