import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/**
 * Writes variables as YAML for Ansible. Strings are in double quotes, as in JSON. Untrusted strings carry Ansible's tag
 * `!unsafe`, so that a Jinja expression in them is not evaluated.
 * `isUnsafe`: whether the strings in the value of this variable, at any depth, are untrusted
 */
export function variablesAsYaml(variables: JsonObject, isUnsafe: (name: string) => boolean): string {
  const lines = Object.keys(variables)
    .sort()
    .map((name) => `? ${quoted(name)}\n: ${inline(variables[name] ?? null, isUnsafe(name))}\n`);
  // The document marker keeps Ansible from parsing the text as JSON, in which some names have a special meaning.
  return `---\n${lines.join("") || "{}\n"}`;
}

function inline(value: JsonValue, unsafe: boolean): string {
  if (typeof value === "string")
    return unsafe && !RESOLVABLE.test(value) ? `!unsafe ${quoted(value)}` : quoted(value);
  if (typeof value === "number") return numeral(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => inline(item, unsafe)).join(", ")}]`;
  // Explicit keys, since implicit ones may have 1024 characters at most.
  const entries = Object.entries(value).map(([key, item]) => `? ${quoted(key)} : ${inline(item, unsafe)}`);
  return `{${entries.join(", ")}}`;
}

/**
 * Matches every text that YAML 1.1 without quotes reads as another type: numbers, times, booleans, null, merge keys. Since
 * ansible-core 2.19, `!unsafe` reads its text as if it had no quotes. No Jinja expression consists of these characters alone,
 * so such a text needs no tag. (PyYAML's patterns also match before a final newline.)
 */
const RESOLVABLE = /^(?:[-+.:\w \t]*|[~=!&*]|<<)\n?$/;

/** Writes a number. YAML 1.1 reads a number with an exponent only if it has a decimal point. */
function numeral(value: number): string {
  const text = JSON.stringify(value);
  return text.includes("e") && !text.includes(".") ? text.replace("e", ".0e") : text;
}

/** Characters that YAML parsers refuse unescaped or read as the end of a line. */
const SPECIAL = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/gu;

function quoted(text: string): string {
  return JSON.stringify(text).replace(
    SPECIAL,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
