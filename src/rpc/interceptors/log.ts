import type { DescMethod } from "@bufbuild/protobuf";
import { ConnectError, type Interceptor } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { Logger } from "pino";
import { Failure } from "../../task/errors.ts";
import { SERVER_FAULTS } from "../errors/errors.ts";
import { isRead } from "../permissions.ts";
import { callerKey, peerKey, requestIdKey } from "./context.ts";
import { guardStream } from "./stream.ts";

/**
 * Logs one line for each RPC at its end, for a stream at the end of the stream. Successful reads are logged at debug, faults of
 * the server at error with cause and stack, all other calls at info. Messages and headers are not logged, since they can hold
 * secrets.
 */
export function log(logger: Logger): Interceptor {
  return (next) => async (request) => {
    const started = performance.now();
    const over = (error?: unknown): void => {
      const fields = {
        method: `${request.service.typeName}/${request.method.name}`,
        ms: Math.round((performance.now() - started) * 10) / 10,
        requestId: request.contextValues.get(requestIdKey),
        caller: request.contextValues.get(callerKey).name,
        peer: request.contextValues.get(peerKey),
      };
      if (error === undefined) logOk(logger, request.method, fields);
      else logError(logger, error, fields);
    };
    try {
      const response = await next(request);
      if (response.stream) return { ...response, message: guardStream(response.message, { ended: over }) };
      over();
      return response;
    } catch (error) {
      over(error);
      throw error;
    }
  };
}

function logOk(logger: Logger, method: DescMethod, fields: object): void {
  logger[isRead(method) ? "debug" : "info"]({ ...fields, code: "ok" }, "rpc");
}

function logError(logger: Logger, thrown: unknown, fields: object): void {
  const error = ConnectError.from(thrown);
  const code = codeToString(error.code);
  if (SERVER_FAULTS.has(error.code)) logger.error({ ...fields, code, err: error.cause ?? error }, "rpc");
  else logger.info({ ...fields, code, ...refusal(error) }, "rpc");
}

/** Returns the log fields of a refused call. Of wrong fields only the names are logged: descriptions quote the request. */
function refusal({ cause, rawMessage }: ConnectError): { fields: string[] } | { error: string } {
  const violations = cause instanceof Failure ? cause.violations : [];
  return violations.length > 0
    ? { fields: violations.slice(0, MOST_FIELDS).map(({ field }) => field) }
    : { error: rawMessage };
}

const MOST_FIELDS = 20;
