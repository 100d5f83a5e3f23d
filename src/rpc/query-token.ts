import { createHash } from "node:crypto";
import { invalid } from "../task/errors.ts";

const DEFAULT_PAGE_SIZE = 50;
export const pageSize = (asked: number) => asked || DEFAULT_PAGE_SIZE;

/** Returns a token of a position and a fingerprint of its query, since a token is valid for this query only (AIP-158). */
export function queryToken(position: string, query: readonly string[]): string {
  return Buffer.from(JSON.stringify([position, fingerprint(query)])).toString("base64url");
}

/**
 * Returns a page of rows and the token of the next page. `rows` holds one row more than the page if there is a next page.
 * `position` returns the position of the page's last row, from which the next page is read.
 */
export function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  query: readonly string[],
  position: (row: Row) => string,
): { page: readonly Row[]; nextPageToken: string } {
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return { page, nextPageToken: last === undefined ? "" : queryToken(position(last), query) };
}

/** As `readQueryToken`, for a `page_token`. Returns "" for the first page. */
export function readPageToken(token: string, query: readonly string[], form: RegExp): string {
  return token === "" ? "" : readQueryToken("page_token", token, query, form);
}

/**
 * Returns the position in the token of a request's field. `form` matches valid positions; it also guards against tokens that
 * a caller made up.
 * @throws Failure invalid if it is not a token of this query.
 */
export function readQueryToken(field: string, token: string, query: readonly string[], form: RegExp): string {
  try {
    const [position, print] = JSON.parse(Buffer.from(token, "base64url").toString()) as unknown[];
    if (typeof position === "string" && form.test(position) && print === fingerprint(query)) return position;
  } catch {
    // A token that cannot be decoded is refused below.
  }
  throw invalid([
    { field, description: "is not a token of this query; use the one that its previous response returned" },
  ]);
}

function fingerprint(query: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(query)).digest("base64url").slice(0, 12);
}
