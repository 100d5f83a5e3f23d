import type { Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { bearerAuth } from "./auth.ts";
import { errors } from "./errors.ts";
import { log } from "./log.ts";
import { requestId } from "./request-id.ts";
import { type Validator, validate } from "./validate.ts";

export interface InterceptorOptions {
  logger: Logger;
  /** Undefined: everyone may call. */
  token: string | undefined;
  /** `violationsOf` of rpc/rules/check.ts, outside tests. */
  rules: Validator;
  /** `isTransientError` of store/postgres/transient-errors.ts: such errors are UNAVAILABLE instead of INTERNAL. */
  isPassing?: (error: unknown) => boolean;
}

/** What every call passes, the outermost first: the log sees what the caller sees, and nobody's request is judged before its token. */
export function interceptors(options: InterceptorOptions): Interceptor[] {
  return [
    requestId(),
    log(options.logger),
    errors(options.isPassing),
    bearerAuth(options.token),
    validate(options.rules),
  ];
}
