import { Code } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";

/** The codes that a method's comment names, but for what it says of a server that goes. */
export function codesIn(comment: string): Set<Code> {
  const words = comment.replace(SHUTDOWN, "").match(/\b[A-Z]+(_[A-Z]+)*\b/g) ?? [];
  const codes = words.map((word) => codeFromString(word === "CANCELLED" ? "canceled" : word.toLowerCase()));
  return new Set(codes.filter((code) => code !== undefined));
}

const SHUTDOWN = /UNAVAILABLE with RetryInfo when the server shuts down/;

/**
 * Whatever the method, of what the contract says of all of them: the server neither shuts down nor is old here, and its
 * database is there. What calls with a deadline may end with besides; call.ts knows which have one.
 */
export const ALWAYS = [Code.InvalidArgument, Code.DeadlineExceeded];
/** Code for a request that has more bytes than the contract allows. */
export const TOO_BIG = Code.ResourceExhausted;
export const MAX_BYTES = 4 * 1024 * 1024;
