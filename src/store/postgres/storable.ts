import type { JsonValue } from "@bufbuild/protobuf";

/*
 * PostgreSQL's texts hold no NUL, and its JSON no half of a surrogate pair either; what programs say may hold both. A text
 * that cannot be stored would keep a task from ever ending.
 */

/** With U+FFFD in the place of what cannot be stored. */
export const storableText = (text: string): string => text.toWellFormed().replaceAll("\0", "\ufffd");

/** The text of a JSON value, the same way. */
export const storableJson = (value: JsonValue): string =>
  JSON.stringify(value, (_, inner: JsonValue) => (typeof inner === "string" ? storableText(inner) : inner));
