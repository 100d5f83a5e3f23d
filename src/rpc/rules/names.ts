import { z } from "zod";
import { rule } from "./rule.ts";

/** Pattern of the names that users choose for resources: a DNS label (RFC 1123) in lower case. */
export const SEGMENT = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
export const UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
const WORDS = "at most 63 lower-case letters, digits and inner dashes";
const HINT = `names have ${WORDS}: they match \`${SEGMENT}\``;

/** Returns a regular expression for the resource names of a pattern such as `projects/{project}/tasks/{uuid}`. */
export function patternOf(pattern: string): RegExp {
  const source = pattern.replaceAll("{uuid}", UUID).replaceAll(/\{[a-z]+\}/g, SEGMENT);
  return new RegExp(`^${source}$`);
}

/** Requires a full resource name. */
export function fullName(pattern: string): z.ZodString {
  const regexp = patternOf(pattern);
  const hint = pattern.includes("{uuid}") ? undefined : HINT;
  return rule(z.string(), `Required. \`${pattern}\``, (name) => regexp.test(name), hint);
}

/** Requires a full resource name or nothing. */
export function optionalName(pattern: string): z.ZodString {
  const regexp = patternOf(pattern);
  return rule(z.string(), `\`${pattern}\``, (name) => name === "" || regexp.test(name));
}

/** Requires the name of one project, or `projects/-` for all. */
export function parentOrAll(): z.ZodString {
  const regexp = patternOf("projects/{project}");
  const says = "Required. `projects/{project}`, or `projects/-` for all";
  return rule(z.string(), says, (name) => name === "projects/-" || regexp.test(name), HINT);
}

/** Requires the full name or the last part of the name of a resource in a catalog. */
export function catalogName(pattern: string, prefix = ""): z.ZodString {
  return rule(z.string(), `${prefix}${inCatalog(pattern)}`, isCatalogName(pattern), HINT);
}

/** As `catalogName`, or nothing. `empty`: the meaning of an empty name. */
export function optionalCatalogName(pattern: string, empty = "none"): z.ZodString {
  const holds = isCatalogName(pattern);
  const says = `${inCatalog(pattern)}. Empty: ${empty}`;
  return rule(z.string(), says, (name) => name === "" || holds(name), HINT);
}

/** As `catalogName`, for a field of a oneof; unset passes. */
export function chosenCatalogName(pattern: string): z.ZodType<string | undefined> {
  const holds = isCatalogName(pattern);
  return rule(z.string().optional(), inCatalog(pattern), (name) => name === undefined || holds(name), HINT);
}

/** Requires the full name of a resource to update. */
export function nameInFull(pattern: string): z.ZodString {
  const regexp = patternOf(pattern);
  return rule(z.string(), `\`${pattern}\``, (name) => regexp.test(name), HINT);
}

/** Accepts any name, for a field that the server ignores. The hint documents the form of names as for other names. */
export const ignoredName = (): z.ZodString => z.string().meta({ says: [], hints: [HINT] });

/** Requires the last part of the name of a new resource. */
export function segment(): z.ZodString {
  const says = `Required. Last part of the resource name; matches \`${SEGMENT}\``;
  return rule(z.string(), says, (name) => patternOf("{name}").test(name), WORDS);
}

/** Rule for a tag of a node, which has the form of a resource name's last part. */
export function tag(): z.ZodString {
  return rule(z.string(), `Each matches \`${SEGMENT}\``, (text) => patternOf("{name}").test(text), WORDS);
}

const inCatalog = (pattern: string): string => `\`${pattern}\`; in a catalog the last part alone`;

function isCatalogName(pattern: string): (name: string) => boolean {
  const [full, last] = [patternOf(pattern), patternOf("{name}")];
  return (name) => full.test(name) || last.test(name);
}
