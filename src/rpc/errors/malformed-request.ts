import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Corrects an error that reading a request gave. Connect says INTERNAL where a request is no message or wrongly
 * compressed: this is the caller's doing, and asking another server would not help. What JSON.parse quotes of a request
 * may cut a character in two, which Connect cannot spell for gRPC. For no other errors: an INTERNAL of a handler is a
 * defect of the server.
 */
export function blameCaller(error: ConnectError): ConnectError {
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
