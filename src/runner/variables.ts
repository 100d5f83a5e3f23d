import type { JsonObject } from "@bufbuild/protobuf";

/** One who sets variables. A name stands in one of the two, or its secret value counts. */
export interface VariableLayer {
  open: JsonObject;
  secret?: Readonly<Record<string, string>>;
}

/** Lays variables over each other, name by name: of a name that several set, the last one counts. */
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
