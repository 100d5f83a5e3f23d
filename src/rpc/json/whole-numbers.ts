import type { JsonPath } from "./decode.ts";

/** Description of a whole number that most readers of JSON would change, since they keep 53 bits. */
export const TOO_LARGE =
  "whole numbers beyond ±9007199254740991 (2^53 - 1) lose digits as numbers; write it as text, in quotes";

/** True if a number, given as it was written, loses digits. Numbers with a point or an exponent are never meant to be exact. */
export function losesDigits(text: string): boolean {
  return /^[+-]?\d+$/.test(text) && !Number.isSafeInteger(Number(text));
}

/** Quick test: a text without 16 digits in a row has no such number. */
const MANY_DIGITS = /\d{16}/;

/** Returns the paths of all whole numbers in a JSON text that a double cannot represent. `text` must be valid JSON. */
export function largeNumbersIn(text: string): JsonPath[] {
  if (!MANY_DIGITS.test(text)) return [];
  const found: JsonPath[] = [];
  const marked: unknown = JSON.parse(text, (_, value, context?: { source?: string }) =>
    typeof value === "number" && losesDigits(context?.source ?? "") ? LARGE : value,
  );
  collect(marked, []);
  return found;

  function collect(value: unknown, path: JsonPath): void {
    if (value === LARGE) found.push(path);
    else if (Array.isArray(value)) for (const [at, item] of value.entries()) collect(item, [...path, at]);
    else if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) collect(item, [...path, key]);
    }
  }
}

const LARGE = Symbol("large number");
