import type { Breach } from "./rule.ts";

/**
 * protobuf stops at 100 levels of messages in every language, and each level of a Struct is three of them: what goes
 * deeper than this could be stored, and then no client could read it.
 */
export const MAX_DEPTH = 30;

/** `path` is only good during the call. What stands at more than MAX_DEPTH steps is not looked into. */
export type Look = (value: unknown, path: Breach["path"]) => void;

/**
 * Shows all texts, numbers and the like within a value, and the names of its entries, which are text as well. A visitor
 * with one path for all: a megabyte of small values passes here with every request that brings it.
 */
export function walk(value: unknown, look: Look, path: Breach["path"] = []): void {
  if (path.length > MAX_DEPTH || typeof value !== "object" || value === null || value instanceof Uint8Array) {
    look(value, path);
  } else if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      path.push(index);
      walk(value[index], look, path);
      path.pop();
    }
  } else {
    for (const [name, inner] of Object.entries(value)) {
      path.push(name);
      if (path.length <= MAX_DEPTH) look(name, path);
      walk(inner, look, path);
      path.pop();
    }
  }
}
