import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/*
 * Writes variables as YAML that Ansible reads. Strings are in double quotes, as in JSON. Untrusted ones carry Ansible's tag
 * `!unsafe`, so that a Jinja expression in them stays text.
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
  if (typeof value === "string")
    return unsafe && !RESOLVABLE.test(value) ? `!unsafe ${quoted(value)}` : quoted(value);
  if (typeof value === "number") return numeral(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => inline(item, unsafe)).join(", ")}]`;
  // Explicit keys: others may have 1024 characters at most.
  const entries = Object.entries(value).map(([key, item]) => `? ${quoted(key)} : ${inline(item, unsafe)}`);
  return `{${entries.join(", ")}}`;
}

/**
 * Matches every text that YAML 1.1 reads as another type where it stands without quotes: numbers, times, booleans, null,
 * merge keys. Since ansible-core 2.19 `!unsafe` reads its text as if it had no quotes. No Jinja expression consists of these
 * characters, so that such a text needs no tag. (PyYAML's patterns match before a last newline too.)
 */
const RESOLVABLE = /^(?:[-+.:\w \t]*|[~=!&*]|<<)\n?$/;

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
