import type { JsonValue } from "@bufbuild/protobuf";

/*
 * PostgreSQL stores no NUL in texts and no unpaired surrogate in JSON, but the output of programs may contain both.
 * Without a replacement, the end of such a task could never be stored.
 */

/** Returns the text with U+FFFD in place of characters that PostgreSQL cannot store. */
export const storableText = (text: string): string => text.toWellFormed().replaceAll("\0", "\ufffd");

/** Returns a value as JSON, with U+FFFD in place of characters that PostgreSQL cannot store. */
export const storableJson = (value: JsonValue): string =>
  JSON.stringify(value, (_, inner: JsonValue) => (typeof inner === "string" ? storableText(inner) : inner));
