import type { JsonObject } from "@bufbuild/protobuf";

/** Variables from one source. A name that is both plain and secret has its secret value. */
export interface VariableLayer {
  open: JsonObject;
  secret?: Readonly<Record<string, string>>;
}

/** Merges variables by name; a later layer overrides an earlier one. */
export function mergeVariables(layers: readonly VariableLayer[]): {
  variables: JsonObject;
  secretVariables: Record<string, string>;
} {
  const merged = new Map<string, { value: JsonObject[string] } | { secret: string }>();
  for (const { open, secret = {} } of layers) {
    for (const [name, value] of Object.entries(open)) merged.set(name, { value });
    for (const [name, text] of Object.entries(secret)) merged.set(name, { secret: text });
  }
  const entries = [...merged];
  return {
    variables: Object.fromEntries(entries.flatMap(([name, it]) => ("value" in it ? [[name, it.value]] : []))),
    secretVariables: Object.fromEntries(
      entries.flatMap(([name, it]) => ("secret" in it ? [[name, it.secret]] : [])),
    ),
  };
}
