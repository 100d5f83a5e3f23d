import { backOff, retry } from "../../async/retry.ts";
import { DatabaseDeadlineError, QueryError } from "./database.ts";

/**
 * Codes of final errors, which a retry does not change because the statement or its values are at fault: SQLSTATE
 * classes 22 (data), 23 (constraints) and 42 (syntax and access; except 42501, since a revoked right can be granted
 * again), and errors of postgres.js that refuse to send a statement. All other codes are transient, since an operator
 * can mend their cause: refused logins (28), a missing or renamed database (3D), read-only (25006), shortages (53),
 * locks (55), shutdowns (57), broken disks (58, XX), and lost or refused connections (PostgreSQL documentation,
 * appendix A).
 */
const FINAL =
  /^(22...|23...|42(?!501)...|UNDEFINED_VALUE|MAX_PARAMETERS_EXCEEDED|NOT_TAGGED_CALL|UNSAFE_TRANSACTION|ERR_(INVALID|OUT_OF)_.*)$/;

/**
 * Tells whether an error of database work is transient. After a transient error it is unknown whether a write was
 * committed. An error without a code does not come from the driver, and is final.
 */
export function isTransientError(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof DatabaseDeadlineError) return true;
    if ("code" in e && typeof e.code === "string") return !FINAL.test(e.code);
  }
  return false;
}

/**
 * Tells whether an error of any work is a transient error of the database, and not of a file or of a client's socket.
 */
export function isDatabaseAway(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof DatabaseDeadlineError || e instanceof QueryError) return isTransientError(e);
  }
  return false;
}

/** Returns the name of the PostgreSQL constraint that an error reports as violated; undefined: none. */
export function violatedConstraint(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    if ("constraint_name" in e && typeof e.constraint_name === "string") return e.constraint_name;
  }
  return undefined;
}

/**
 * Repeats database work, with pauses from 50 ms to 1 s, until it succeeds or fails with a final error. `work` must be
 * idempotent. `onRetry` is called with each transient error, and may throw an error to give up.
 * @throws the reason of `signal` as soon as it aborts; a statement that is running may still be committed.
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

/**
 * Settles like `work`, or rejects when `signal` aborts, so that a silent database delays neither a shutdown nor a
 * cancelled call.
 */
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
