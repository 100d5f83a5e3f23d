import { Code } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";

/** Returns the codes that a method's comment names, except those for a server that shuts down. */
export function codesIn(comment: string): Set<Code> {
  const words = comment.replace(SHUTDOWN, "").match(/\b[A-Z]+(_[A-Z]+)*\b/g) ?? [];
  const codes = words.map((word) => codeFromString(word === "CANCELLED" ? "canceled" : word.toLowerCase()));
  return new Set(codes.filter((code) => code !== undefined));
}

const SHUTDOWN = /UNAVAILABLE with RetryInfo when the server shuts down/;

/**
 * Codes that every method may return by the contract: the server neither shuts down nor is old here, and its database is
 * available. DEADLINE_EXCEEDED is for calls with a deadline (call.ts).
 */
export const ALWAYS = [Code.InvalidArgument, Code.DeadlineExceeded];
/** Code for a request that has more bytes than the contract allows. */
export const TOO_BIG = Code.ResourceExhausted;
export const MAX_BYTES = { unary: 4 * 1024 * 1024, stream: 64 * 1024 };
/** Most bytes of JSON for a byte of the binary form: `\u0000`. */
export const JSON_GROWTH = 6;
