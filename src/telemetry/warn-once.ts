import type { Logger } from "pino";
import { messageOf } from "../task/errors.ts";

/** Returns a function that logs an error at level warn, unless the last one had the same message. */
export function warnOnce(logger: Logger, what: string): (error: unknown) => void {
  let last: string | undefined;
  return (err) => {
    const message = messageOf(err);
    if (message === last) return;
    last = message;
    logger.warn({ err }, `${what}: ${message}`);
  };
}
