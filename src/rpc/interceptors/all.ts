import type { Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import type { RecordRefusal } from "../refusals.ts";
import { errors } from "./errors.ts";
import { log } from "./log.ts";
import { requestId } from "./request-id.ts";
import { type Validator, validate } from "./validate.ts";

export interface InterceptorOptions {
  logger: Logger;
  /** `violationsOf` of rpc/rules/check.ts, outside tests. */
  rules: Validator;
  recordRefusal: RecordRefusal;
  /** `isTransientError` of store/postgres/transient-errors.ts: such errors are UNAVAILABLE instead of INTERNAL. */
  isPassing?: (error: unknown) => boolean;
}

/**
 * Returns the interceptors of every call, the outermost first. The log is outside `errors`, so it records the error that the
 * caller gets. The caller is authenticated already: http/ does that from the headers, before the body is read.
 */
export function interceptors(options: InterceptorOptions): Interceptor[] {
  return [
    requestId(),
    log(options.logger),
    errors(options.isPassing),
    validate(options.rules, options.recordRefusal),
  ];
}
