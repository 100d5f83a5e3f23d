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
  denied: Code.PermissionDenied,
  not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  precondition: Code.FailedPrecondition,
  aborted: Code.Aborted,
  exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
};

/** Returns the name of the gRPC code of a failure, such as `PERMISSION_DENIED`. */
export const codeNameOf = (kind: ErrorKind): string => codeToString(CODES[kind]).toUpperCase();

/** Codes for faults of the server rather than of the caller. */
export const SERVER_FAULTS: ReadonlySet<Code> = new Set([Code.Unknown, Code.Internal, Code.DataLoss]);

export interface ErrorContext {
  requestId: string;
  /** Signal of the call, aborted by the client, the deadline or the server's shutdown. */
  signal: AbortSignal;
  /** True for transient errors, such as an unreachable database; the call then fails with UNAVAILABLE. */
  isPassing?: (error: unknown) => boolean;
}

/**
 * Turns anything that was thrown into the error that the caller gets; no other function does. Every result has a
 * `google.rpc.ErrorInfo` (https://google.aip.dev/193). The thrown error itself, which may hold details that callers must not
 * see, becomes the `cause`, for the log.
 */
export function toConnectError(thrown: unknown, context: ErrorContext): ConnectError {
  if (isAbort(thrown, context.signal)) return fromAbort(context.signal.reason);
  if (thrown instanceof ConnectError && !SERVER_FAULTS.has(thrown.code)) return withErrorInfo(thrown);
  if (thrown instanceof Failure) return failureError(thrown);
  if (context.isPassing?.(thrown)) return unavailable(thrown);
  return internal(thrown, context.requestId);
}

/** Returns the error that ends calls when the server shuts down; callers retry at another server, or here later. */
export function shuttingDown(): ConnectError {
  return withDetails(
    "This server is shutting down; continue at another server, or try again",
    Code.Unavailable,
    [errorInfo("SERVER_SHUTDOWN"), retryInfo(undefined)],
  );
}

/** Returns the error that ends a stream which has reached its greatest age. Clients resume, perhaps at another server. */
export function streamExpired(): ConnectError {
  return withDetails(
    "The stream has reached its greatest age; continue with its last resume token",
    Code.Unavailable,
    [errorInfo("STREAM_EXPIRED"), retryInfo(EXPIRED_RETRY_MS)],
  );
}

/** Returns the error that ends a stream whose client does not read. */
export function streamBehind(): ConnectError {
  return withDetails(
    "The client has not read for too long; continue with the last resume token",
    Code.Unavailable,
    [errorInfo("STREAM_BEHIND"), retryInfo(undefined)],
  );
}

/** Delay in milliseconds before a client resumes a stream that was merely old. */
const EXPIRED_RETRY_MS = 100;

/** Adds an ErrorInfo, with the reason of the code, to an error that has none. */
export function withErrorInfo(error: ConnectError): ConnectError {
  if (error.findDetails(ErrorInfoSchema).length === 0) {
    error.details.push(errorInfo(reasonOfCode(codeToString(error.code).toUpperCase())));
  }
  return error;
}

/** Returns the error for a failure, with the details that the contract promises for its kind. */
export function failureError(failure: Failure): ConnectError {
  return withDetails(failure.message, CODES[failure.kind], failureDetails(failure), failure);
}

/** True if the call was aborted and `thrown` is how the aborted code reported that. */
function isAbort(thrown: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  if (thrown === signal.reason) return true;
  return thrown instanceof Error && (thrown.name === "AbortError" || thrown.cause === signal.reason);
}

/**
 * Returns the error of an aborted call. Deadlines, resets and shutdowns abort with a ConnectError; a closed connection aborts
 * with an AbortError. A stream that the client reset with a code other than CANCEL (Connect does at its deadline) counts as
 * ended by the client. The reason is copied, since all users of the signal share it and each response adds headers.
 */
function fromAbort(reason: unknown): ConnectError {
  if (reason instanceof ConnectError && reason.code !== Code.Internal) {
    return withErrorInfo(
      new ConnectError(reason.rawMessage, reason.code, undefined, outgoing(reason), reason),
    );
  }
  return clientLeft(reason);
}

/** Returns the error of a call that the client ended. */
export function clientLeft(cause: unknown): ConnectError {
  return withDetails("The client ended the call", Code.Canceled, [errorInfo("CANCELED")], cause);
}

function outgoing(error: ConnectError): Detail[] {
  return error.details.filter((detail): detail is Detail => "desc" in detail);
}

function unavailable(cause: unknown): ConnectError {
  return withDetails(
    "The server cannot reach its database; try again",
    Code.Unavailable,
    [errorInfo("UNAVAILABLE"), retryInfo(undefined)],
    cause,
  );
}

function internal(cause: unknown, requestId: string): ConnectError {
  return withDetails(
    `The server failed; its log has the cause under request id ${requestId}`,
    Code.Internal,
    [errorInfo("INTERNAL", { request_id: requestId })],
    cause,
  );
}

function withDetails(message: string, code: Code, details: Detail[], cause?: unknown): ConnectError {
  return new ConnectError(fitText(message), code, undefined, details, cause);
}
