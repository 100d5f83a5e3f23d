import type { Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { bearerAuth } from "./auth.ts";
import { errors } from "./errors.ts";
import { log } from "./log.ts";
import { requestId } from "./request-id.ts";
import { type Validator, validate } from "./validate.ts";

export interface InterceptorOptions {
  logger: Logger;
  /** undefined: calls need no token. */
  token: string | undefined;
  /** `violationsOf` of rpc/rules/check.ts, outside tests. */
  rules: Validator;
  /** `isTransientError` of store/postgres/transient-errors.ts: such errors are UNAVAILABLE instead of INTERNAL. */
  isPassing?: (error: unknown) => boolean;
}

/**
 * Returns the interceptors of every call, the outermost first. The log is outside `errors`, so it records the error that the
 * caller gets. Authentication comes before validation, so that a caller without a token learns nothing about the rules.
 */
export function interceptors(options: InterceptorOptions): Interceptor[] {
  return [
    requestId(),
    log(options.logger),
    errors(options.isPassing),
    bearerAuth(options.token),
    validate(options.rules),
  ];
}
