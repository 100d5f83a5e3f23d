import type { DescMethod } from "@bufbuild/protobuf";
import { ConnectError, type Interceptor } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { Logger } from "pino";
import { Failure } from "../../task/errors.ts";
import { OURS } from "../errors/errors.ts";
import { isRead } from "../permissions.ts";
import { callerKey, peerKey, requestIdKey } from "./context.ts";
import { guardStream } from "./stream.ts";

/**
 * One line for each RPC, when it is over; a stream's when the stream is. OK reads at debug, everything else at info,
 * failures of ours at error with their cause and its stack. Neither messages nor headers are logged: they hold secrets.
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
  if (OURS.has(error.code)) logger.error({ ...fields, code, err: error.cause ?? error }, "rpc");
  else logger.info({ ...fields, code, ...refusal(error) }, "rpc");
}

/** Of a request with wrong fields their names alone: the sentences quote what the caller sent. */
function refusal({ cause, rawMessage }: ConnectError): { fields: string[] } | { error: string } {
  const violations = cause instanceof Failure ? cause.violations : [];
  return violations.length > 0
    ? { fields: violations.slice(0, MOST_FIELDS).map(({ field }) => field) }
    : { error: rawMessage };
}

const MOST_FIELDS = 20;
