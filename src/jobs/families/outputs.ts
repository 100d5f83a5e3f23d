import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** Largest size of stored outputs, in bytes of JSON. */
const MAX_BYTES = 1024 * 1024;
/** Values nested deeper become JSON text: protobuf parsers refuse messages nested more than 100 levels deep. */
const MAX_DEPTH = 20;

/** Parses JSON; an integer that a double cannot hold exactly becomes a string of its digits. @throws SyntaxError */
export function parseExactly(text: string): unknown {
  return JSON.parse(text, (_, value: unknown, context?: { source?: string }) =>
    typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)
      ? (context?.source ?? value)
      : value,
  );
}

/** Masks all strings and names in outputs, for storage; undefined: there are no outputs, or more than 1 MiB. */
export function maskOutputs(
  outputs: Readonly<Record<string, unknown>>,
  mask: (text: string) => string,
): JsonObject | undefined {
  if (Object.keys(outputs).length === 0) return undefined;
  const masked = maskValue(outputs, mask, 0) as JsonObject;
  return Buffer.byteLength(JSON.stringify(masked)) > MAX_BYTES ? undefined : masked;
}

function maskValue(value: unknown, mask: (text: string) => string, depth: number): JsonValue {
  if (typeof value === "string") return mask(value);
  if (typeof value !== "object" || value === null) return value as JsonValue;
  if (depth > MAX_DEPTH) return mask(JSON.stringify(value));
  if (Array.isArray(value)) return value.map((item) => maskValue(item, mask, depth + 1));
  const entries = Object.entries(value).map(([name, item]) => [mask(name), maskValue(item, mask, depth + 1)]);
  return Object.fromEntries(entries);
}
