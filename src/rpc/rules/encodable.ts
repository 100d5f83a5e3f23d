import { isSecretPlace, NOT_SHOWN } from "../secret-places.ts";
import { type Breach, received } from "./rule.ts";
import { NOTHING } from "./to-plain.ts";
import { MAX_DEPTH, walk } from "./walk.ts";

/**
 * Returns a breach for each value, anywhere in a plain message, that PostgreSQL or other clients cannot represent: NUL and
 * broken Unicode in text (`text` and `jsonb` refuse both), numbers that JSON lacks (NaN, infinity), a google.protobuf.Value
 * without a value, and more than MAX_DEPTH levels of nesting.
 */
export function encodingBreaches(plain: object): Breach[] {
  const breaches: Breach[] = [];
  walk(plain, (value, path) => {
    const trouble = problemWith(value, path.length);
    if (trouble === undefined) return;
    const shown = isSecretPlace(path) ? NOT_SHOWN : received(wellFormed(value));
    breaches.push({ path: [...path], got: `${shown}${trouble}` });
  });
  return breaches;
}

function problemWith(value: unknown, depth: number): string | undefined {
  if (depth > MAX_DEPTH) return `, more than ${MAX_DEPTH} levels deep`;
  if (value === NOTHING) return "; a google.protobuf.Value must have a value";
  if (typeof value === "number" && !Number.isFinite(value)) return ", which JSON cannot represent";
  if (typeof value !== "string") return undefined;
  if (value.includes("\0")) return " with a NUL in it";
  return value.isWellFormed() ? undefined : " with broken Unicode in it";
}

const wellFormed = (value: unknown): unknown => {
  if (value === NOTHING) return undefined;
  return typeof value === "string" ? value.toWellFormed() : value;
};
