import { type Leaf, leavesOf, MAX_DEPTH } from "./leaves.ts";
import { type Breach, received } from "./rule.ts";

/**
 * What PostgreSQL or other clients cannot carry, wherever it stands in a plain message: NUL and broken Unicode in text
 * (`text` and `jsonb` refuse both), numbers that JSON does not have, values within values within values.
 * `hidden`: fields whose values are not shown.
 */
export function carriageBreaches(plain: object, hidden: ReadonlySet<string>): Breach[] {
  return [...leavesOf(plain)].flatMap((leaf) => {
    const trouble = troubleWith(leaf);
    if (trouble === undefined) return [];
    const isHidden = hidden.has(String(leaf.path[0]));
    const shown = isHidden ? "a value that is not shown" : received(wellFormed(leaf.value));
    return [{ path: leaf.path, got: `${shown}${trouble}` }];
  });
}

function troubleWith({ path, value }: Leaf): string | undefined {
  if (path.length > MAX_DEPTH) return `, more than ${MAX_DEPTH} levels deep`;
  if (typeof value === "number" && !Number.isFinite(value)) return ", which JSON does not have";
  if (typeof value !== "string") return undefined;
  if (value.includes("\0")) return " with a NUL in it";
  return value.isWellFormed() ? undefined : " with broken Unicode in it";
}

const wellFormed = (value: unknown): unknown => (typeof value === "string" ? value.toWellFormed() : value);
