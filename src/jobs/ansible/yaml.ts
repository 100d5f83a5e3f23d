import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/*
 * Variables as YAML that Ansible reads. Its own writer, since only a few forms are needed and they must be exact: strings
 * in double quotes, as in JSON, those that are not to be trusted under Ansible's tag `!unsafe`, which keeps it from
 * evaluating what looks like a Jinja expression.
 */

/** `isUnsafe` says of each name whether the texts in its value are tagged, however deep they lie. */
export function variablesAsYaml(variables: JsonObject, isUnsafe: (name: string) => boolean): string {
  const lines = Object.keys(variables)
    .sort()
    .map((name) => `? ${quoted(name)}\n: ${inline(variables[name] ?? null, isUnsafe(name))}\n`);
  // A document's head keeps Ansible from reading it as JSON, in which it gives some names a meaning.
  return `---\n${lines.join("") || "{}\n"}`;
}

function inline(value: JsonValue, unsafe: boolean): string {
  if (typeof value === "string") return unsafe ? `!unsafe ${quoted(value)}` : quoted(value);
  if (typeof value === "number") return numeral(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => inline(item, unsafe)).join(", ")}]`;
  // Explicit keys: others may have 1024 characters at most.
  const entries = Object.entries(value).map(([key, item]) => `? ${quoted(key)} : ${inline(item, unsafe)}`);
  return `{${entries.join(", ")}}`;
}

/** YAML 1.1 knows a number with an exponent only by its point. */
function numeral(value: number): string {
  const text = JSON.stringify(value);
  return text.includes("e") && !text.includes(".") ? text.replace("e", ".0e") : text;
}

/** What YAML's readers refuse as it is, or take for the end of a line. */
const SPECIAL = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/gu;

function quoted(text: string): string {
  return JSON.stringify(text).replace(
    SPECIAL,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
