import { backOff, retry } from "../../async/retry.ts";
import { DatabaseDeadline, QueryFailed } from "./database.ts";

/**
 * Errors that a repetition does not change, since the statement or its values are at fault: SQLSTATE classes 22 (data),
 * 23 (constraints) and 42 (syntax and access, but for 42501: a right that was revoked can be granted again), and what
 * postgres.js refuses to send. Everything else that the driver reports ends without a change of the request: refused
 * logins (28), a database that is missing or renamed (3D), read-only (25006), shortages (53), locks (55), shutdowns (57),
 * broken disks (58, XX), and connections that are lost or cannot be made (PostgreSQL, appendix A).
 */
const FINAL =
  /^(22...|23...|42(?!501)...|UNDEFINED_VALUE|MAX_PARAMETERS_EXCEEDED|NOT_TAGGED_CALL|UNSAFE_TRANSACTION|ERR_(INVALID|OUT_OF)_.*)$/;

/**
 * Whether an error of database work passes by itself; whether a write took place is then not known. An error without a
 * code does not come from the driver, and is final.
 */
export function isTransientError(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof DatabaseDeadline) return true;
    if ("code" in e && typeof e.code === "string") return !FINAL.test(e.code);
  }
  return false;
}

/** The same for an error of any work: only what a database has thrown counts, not a file or a socket of a client. */
export function isDatabaseAway(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof DatabaseDeadline || e instanceof QueryFailed) return isTransientError(e);
  }
  return false;
}

/** The PostgreSQL constraint that an error names, if it is about one. */
export function violatedConstraint(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    if ("constraint_name" in e && typeof e.constraint_name === "string") return e.constraint_name;
  }
  return undefined;
}

/**
 * Repeats database work, with pauses of 50 ms to 1 s, until it gives a result or an error that is final. `work` must bear
 * being done twice. `onRetry` gets every transient error, and may throw one to give up.
 * @throws the signal's reason as soon as it is aborted; what is under way then may still take place.
 */
export async function retryTransient<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
  onRetry: (error: unknown) => void = () => {},
): Promise<T> {
  return retry(() => unlessAborted(work(), signal), {
    pausesMs: backOff({ firstMs: 50, longestMs: 1000 }),
    signal,
    mayPass: isTransientError,
    onRetry,
  });
}

/** A database that does not answer must not hold up a shutdown, nor a caller that has gone. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
