import type { JsonPath } from "./decode.ts";

/** What a caller is told of a whole number that JSON's readers change: few keep more than 53 bits of one. */
export const TOO_LARGE =
  "whole numbers beyond ±9007199254740991 (2^53 - 1) lose digits as numbers; write it as text, in quotes";

/** `text` is how a number was written. Numbers with a point or an exponent are not meant to be exact. */
export function losesDigits(text: string): boolean {
  return /^[+-]?\d+$/.test(text) && !Number.isSafeInteger(Number(text));
}

/** Only a text with so many digits in a row can hold one. */
const MANY_DIGITS = /\d{16}/;

/** The places of all whole numbers in a JSON text that a double cannot hold. `text` must be JSON. */
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
