import { Code, ConnectError } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { type ErrorKind, Failure } from "../../task/errors.ts";
import { reasonOfCode } from "../../task/reasons.ts";
import { type Detail, errorInfo, failureDetails, retryInfo } from "./error-details.ts";
import { fitText } from "./error-size.ts";

const CODES: Record<ErrorKind, Code> = {
  invalid: Code.InvalidArgument,
  unauthenticated: Code.Unauthenticated,
  not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  precondition: Code.FailedPrecondition,
  aborted: Code.Aborted,
  exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
};

/** Codes that say that the service failed, not the caller. */
export const OURS: ReadonlySet<Code> = new Set([Code.Unknown, Code.Internal, Code.DataLoss]);

export interface ErrorContext {
  requestId: string;
  /** The call's own signal: aborted by the client, by the deadline or by the server's shutdown. */
  signal: AbortSignal;
  /** Tells trouble that passes by itself, such as a database that is away. Such a call is UNAVAILABLE. */
  isPassing?: (error: unknown) => boolean;
}

/**
 * The one edge from what was thrown to what a caller gets. Every result carries a `google.rpc.ErrorInfo`
 * (https://google.aip.dev/193); what is not made for callers stays in `cause`, for the log.
 */
export function toConnectError(thrown: unknown, context: ErrorContext): ConnectError {
  if (isAbort(thrown, context.signal)) return fromAbort(context.signal.reason);
  if (thrown instanceof ConnectError && !OURS.has(thrown.code)) return withErrorInfo(thrown);
  if (thrown instanceof Failure) return failureError(thrown);
  if (context.isPassing?.(thrown)) return unavailable(thrown);
  return internal(thrown, context.requestId);
}

/** What calls end with when the server goes: another server, or this one a little later, takes over. */
export function shuttingDown(): ConnectError {
  return withDetails("This server shuts down; go on with another, or try again", Code.Unavailable, [
    errorInfo("SERVER_SHUTDOWN"),
    retryInfo(undefined),
  ]);
}

/** Adds an ErrorInfo to an error that has none, with the code's name as its reason. */
export function withErrorInfo(error: ConnectError): ConnectError {
  if (error.findDetails(ErrorInfoSchema).length === 0) {
    error.details.push(errorInfo(reasonOfCode(codeToString(error.code).toUpperCase())));
  }
  return error;
}

/** The error of a failure, with the details that the contract promises for its kind. */
export function failureError(failure: Failure): ConnectError {
  return withDetails(failure.message, CODES[failure.kind], failureDetails(failure), failure);
}

/** The call was aborted, and this is what the code that noticed it threw. */
function isAbort(thrown: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  if (thrown === signal.reason) return true;
  return thrown instanceof Error && (thrown.name === "AbortError" || thrown.cause === signal.reason);
}

/**
 * Deadlines, resets and shutdowns abort with a ConnectError; a connection that ended, with an AbortError.
 * A client that resets its stream with another code than CANCEL (Connect does at its deadline) has left all the same.
 * Whatever shares the signal shares its reason, and an answer gets headers of its own: hence a copy.
 */
function fromAbort(reason: unknown): ConnectError {
  if (reason instanceof ConnectError && reason.code !== Code.Internal) {
    return withErrorInfo(
      new ConnectError(reason.rawMessage, reason.code, undefined, outgoing(reason), reason),
    );
  }
  return clientLeft(reason);
}

/** Nobody is there who would get the answer. */
export function clientLeft(cause: unknown): ConnectError {
  return withDetails("The client ended the call", Code.Canceled, [errorInfo("CANCELED")], cause);
}

function outgoing(error: ConnectError): Detail[] {
  return error.details.filter((detail): detail is Detail => "desc" in detail);
}

function unavailable(cause: unknown): ConnectError {
  return withDetails(
    "The service cannot reach its database; try again",
    Code.Unavailable,
    [errorInfo("UNAVAILABLE"), retryInfo(undefined)],
    cause,
  );
}

function internal(cause: unknown, requestId: string): ConnectError {
  return withDetails(
    `The service failed; its log has the cause under request id ${requestId}`,
    Code.Internal,
    [errorInfo("INTERNAL", { request_id: requestId })],
    cause,
  );
}

function withDetails(message: string, code: Code, details: Detail[], cause?: unknown): ConnectError {
  return new ConnectError(fitText(message), code, undefined, details, cause);
}
