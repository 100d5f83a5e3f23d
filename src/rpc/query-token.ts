import { createHash } from "node:crypto";
import { invalid } from "../task/errors.ts";

const DEFAULT_PAGE_SIZE = 50;
export const pageSize = (asked: number) => asked || DEFAULT_PAGE_SIZE;

/** A position and a fingerprint of the query it belongs to (AIP-158: a token goes with its own query only). */
export function queryToken(position: string, query: readonly string[]): string {
  return Buffer.from(JSON.stringify([position, fingerprint(query)])).toString("base64url");
}

/** As `readQueryToken`, for a `page_token`; empty for the first page. */
export function readPageToken(token: string, query: readonly string[], form: RegExp): string {
  return token === "" ? "" : readQueryToken("page_token", token, query, form);
}

/**
 * The position in a token that a field of a request holds. Whoever makes a token up does not get past the form of a
 * position.
 * @throws Failure invalid
 */
export function readQueryToken(field: string, token: string, query: readonly string[], form: RegExp): string {
  try {
    const [position, print] = JSON.parse(Buffer.from(token, "base64url").toString()) as unknown[];
    if (typeof position === "string" && form.test(position) && print === fingerprint(query)) return position;
  } catch {
    // Not of ours: said below.
  }
  throw invalid([{ field, description: "is not a token of this query" }]);
}

function fingerprint(query: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(query)).digest("base64url").slice(0, 12);
}
