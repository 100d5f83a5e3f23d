import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Corrects an error from reading a request. Connect reports INTERNAL for a request that cannot be decoded or decompressed,
 * but this is the caller's fault and would fail on every server: it becomes INVALID_ARGUMENT. Messages of JSON.parse may quote
 * half of a surrogate pair, which Connect cannot encode for gRPC: it is replaced. Not for errors of handlers, whose INTERNAL
 * is a defect of the server.
 */
export function asCallerFault(error: ConnectError): ConnectError {
  const { code, rawMessage, metadata, details } = error;
  const isTold = code === Code.Internal;
  if (!isTold && rawMessage.isWellFormed()) return error;
  const words = rawMessage.replace(PROTOCOL, "").toWellFormed();
  const told = new ConnectError(
    isTold ? `The request cannot be read: ${words}` : words,
    isTold ? Code.InvalidArgument : code,
    metadata,
    undefined,
    error,
  );
  told.details.push(...details);
  return told;
}

const PROTOCOL = "protocol error: ";
