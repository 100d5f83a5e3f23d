import { Code, type ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";

/** Codes of errors that a retry would get again. */
const FINAL: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.AlreadyExists,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.OutOfRange,
  Code.Unimplemented,
  Code.Unauthenticated,
]);

/** Whether the call may succeed on a retry, because the server or the network failed and not the request. */
export function mayPass(error: ConnectError): boolean {
  return !FINAL.has(error.code);
}

/** Whether the service did not answer the call, or answered that it cannot now. */
export function isUnreachable(error: ConnectError): boolean {
  if (error.code === Code.Unavailable) return true;
  return mayPass(error) && isBroken(error);
}

/** Whether the error comes from a broken connection, not from the service and not from a deadline or abort of the caller. */
function isBroken(error: ConnectError): boolean {
  const byUs = error.code === Code.DeadlineExceeded || error.code === Code.Canceled;
  return !byUs && error.cause instanceof Error && error.findDetails(ErrorInfoSchema).length === 0;
}

/** Whether the server ended a stream only because it was old, as it does with every stream. */
export function isExpired(error: ConnectError): boolean {
  return error.findDetails(ErrorInfoSchema)[0]?.reason === "STREAM_EXPIRED";
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5000;
const LONGEST_REQUESTED_MS = 60_000;

/**
 * Returns the delay before the next try, in milliseconds: the one that the server asks for in `google.rpc.RetryInfo`, up to
 * 60 s, else exponential backoff from 100 ms to 5 s. Jitter of up to a fifth keeps clients from coming back all at once.
 * `failures`: number of tries that have failed in a row, from 1
 */
export function retryDelay(error: ConnectError, failures: number): number {
  const requested = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const delay = requested
    ? Math.min(Number(requested.seconds) * 1000 + requested.nanos / 1e6, LONGEST_REQUESTED_MS)
    : Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), LONGEST_DELAY_MS);
  return delay * (1 + Math.random() / 5);
}
