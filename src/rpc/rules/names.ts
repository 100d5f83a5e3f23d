import { z } from "zod";
import { rule } from "./rule.ts";

/** What users may call a project, a template and so on: a DNS label (RFC 1123), in lower case. */
export const SEGMENT = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
export const UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
const HINT = `names match \`${SEGMENT}\``;

/** Matches what a pattern such as `projects/{project}/tasks/{uuid}` stands for. */
export function patternOf(pattern: string): RegExp {
  const source = pattern.replaceAll("{uuid}", UUID).replaceAll(/\{[a-z]+\}/g, SEGMENT);
  return new RegExp(`^${source}$`);
}

/** A resource that must be named in full. */
export function fullName(pattern: string): z.ZodString {
  const regexp = patternOf(pattern);
  const hint = pattern.includes("{uuid}") ? undefined : HINT;
  return rule(z.string(), `Required. \`${pattern}\``, (name) => regexp.test(name), hint);
}

/** A project to list from, or all of them. */
export function parentOrAll(): z.ZodString {
  const regexp = patternOf("projects/{project}");
  const says = "Required. `projects/{project}`, or `projects/-` for all";
  return rule(z.string(), says, (name) => name === "projects/-" || regexp.test(name), HINT);
}

/** A resource of a catalog, or a reference within one: in full or by its last part alone. */
export function catalogName(pattern: string, prefix = ""): z.ZodString {
  return rule(z.string(), `${prefix}${inCatalog(pattern)}`, isCatalogName(pattern), HINT);
}

export function optionalCatalogName(pattern: string): z.ZodString {
  const holds = isCatalogName(pattern);
  return rule(z.string(), `${inCatalog(pattern)}. Empty: none`, (name) => name === "" || holds(name), HINT);
}

const inCatalog = (pattern: string): string => `\`${pattern}\`; in a catalog the last part alone`;

function isCatalogName(pattern: string): (name: string) => boolean {
  const [full, last] = [patternOf(pattern), patternOf("{name}")];
  return (name) => full.test(name) || last.test(name);
}
