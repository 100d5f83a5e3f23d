import { setTimeout as delay } from "node:timers/promises";
import { isConnectionLost } from "./connection-errors.ts";
import { DatabaseDeadline } from "./database.ts";

/**
 * PostgreSQL classes that pass by themselves: 08 connection, 53 resources, 57P0x shutdown and start, 57014 and 25P03
 * our own time limits, 40001/40P01 serialization and deadlock, 25006 a standby that is being promoted (PostgreSQL,
 * appendix A).
 */
const PASSING_STATES = /^(08|53|57P0|57014|25P03|40001|40P01|25006)/;

/** The database is out of reach for now; whether a write took place is not known. */
export function isTransientError(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof DatabaseDeadline) return true;
    if ("code" in e && PASSING_STATES.test(String(e.code))) return true;
  }
  return isConnectionLost(error);
}

/** The PostgreSQL constraint that an error names, if it is about one. */
export function violatedConstraint(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    if ("constraint_name" in e && typeof e.constraint_name === "string") return e.constraint_name;
  }
  return undefined;
}

/**
 * Does `work` until it gives a result or an error that does not pass. `work` must bear being done twice.
 * @throws the signal's reason as soon as it is aborted; what is under way then may still take place.
 */
export async function retryTransient<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let pause = 50; ; pause = Math.min(pause * 2, 1000)) {
    try {
      return await unlessAborted(work(), signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isTransientError(error)) throw error;
    }
    await delay(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
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
