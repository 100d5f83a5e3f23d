import { Code } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";

/** The codes that a method's comment names. */
export function codesIn(comment: string): Set<Code> {
  const words = comment.match(/\b[A-Z]+(_[A-Z]+)*\b/g) ?? [];
  const codes = words.map((word) => codeFromString(word === "CANCELLED" ? "canceled" : word.toLowerCase()));
  return new Set(codes.filter((code) => code !== undefined));
}

/** Whatever the method: what the contract says of all of them, and what calls with a deadline may end with. */
export const ALWAYS = [Code.InvalidArgument, Code.Unimplemented, Code.DeadlineExceeded];
