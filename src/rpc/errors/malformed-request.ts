import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Connect reads requests, and blames the service (INTERNAL) where one is no message or wrongly compressed. Where there is
 * none, or a second one, it says that there is no such RPC (UNIMPLEMENTED, "protocol error"), as it does of an RPC that
 * there is not. All of these are the caller's doing, and asking another server would not help. What JSON.parse quotes of a
 * request may cut a character in two, which Connect cannot spell for gRPC.
 */
export function blameCaller(error: ConnectError): ConnectError {
  const { code, rawMessage, metadata, details } = error;
  const isTold = code === Code.Internal || (code === Code.Unimplemented && rawMessage.startsWith(PROTOCOL));
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
