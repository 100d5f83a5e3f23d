import type { Breach } from "./rule.ts";

/**
 * Deepest nesting of a value. protobuf libraries refuse more than 100 levels of messages, and each level of a Struct takes
 * three of them, so a deeper value could be stored but not read by clients.
 */
export const MAX_DEPTH = 30;

/** Visitor of values. `path` is valid during the call only. Values deeper than MAX_DEPTH are visited but not entered. */
export type Look = (value: unknown, path: Breach["path"]) => void;

/**
 * Calls `look` for every scalar within a value and for the names of all entries. One path array is reused for all calls,
 * since a request can bring a megabyte of small values.
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
