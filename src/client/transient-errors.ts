import { Code, type ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";

/** What a repetition would not change. */
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

/** The call may work if it is made again: the server or the way to it is in trouble, not the request. */
export function mayPass(error: ConnectError): boolean {
  return !FINAL.has(error.code);
}

/** The call did not get an answer of the service, or it said that it cannot answer now. */
export function isUnreachable(error: ConnectError): boolean {
  if (error.code === Code.Unavailable) return true;
  return mayPass(error) && isBroken(error);
}

/** No server said this: the connection broke. */
function isBroken(error: ConnectError): boolean {
  const byUs = error.code === Code.DeadlineExceeded || error.code === Code.Canceled;
  return !byUs && error.cause instanceof Error && error.findDetails(ErrorInfoSchema).length === 0;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5000;
const LONGEST_REQUESTED_MS = 60_000;

/**
 * How long to wait before the next try, in milliseconds: what the server asked for (`google.rpc.RetryInfo`), else twice
 * as long after each failure. Up to a fifth is added by chance, so that not all clients come back at once.
 * @param failures how many tries have failed in a row, from 1
 */
export function retryDelay(error: ConnectError, failures: number): number {
  const requested = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const delay = requested
    ? Math.min(Number(requested.seconds) * 1000 + requested.nanos / 1e6, LONGEST_REQUESTED_MS)
    : Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), LONGEST_DELAY_MS);
  return delay * (1 + Math.random() / 5);
}
