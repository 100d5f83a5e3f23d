import type { Breach } from "./rule.ts";

export interface Leaf {
  path: Breach["path"];
  /** A text, a number and so on, or the name of an entry, which is text as well. */
  value: unknown;
}

/**
 * protobuf stops at 100 levels of messages in every language, and each level of a Struct is three of them: what goes
 * deeper than this could be stored, and then no client could read it.
 */
export const MAX_DEPTH = 30;

/** All texts, numbers and the like within a value. What lies deeper than MAX_DEPTH is one leaf, and not looked into. */
export function* leavesOf(value: unknown, path: Leaf["path"] = []): Generator<Leaf> {
  if (path.length > MAX_DEPTH || typeof value !== "object" || value === null || value instanceof Uint8Array) {
    yield { path, value };
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    const inside = [...path, Array.isArray(value) ? Number(name) : name];
    if (inside.length <= MAX_DEPTH) yield { path: inside, value: name };
    yield* leavesOf(inner, inside);
  }
}
