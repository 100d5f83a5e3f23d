import { z } from "zod";
import { rule } from "./rule.ts";

/** What users may call a project, a template and so on: a DNS label (RFC 1123), in lower case. */
export const SEGMENT = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
export const UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
const WORDS = "small letters, digits, and dashes within; at most 63";
const HINT = `names are of ${WORDS}: they match \`${SEGMENT}\``;

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

/** The same where it may be left out. */
export function optionalName(pattern: string): z.ZodString {
  const regexp = patternOf(pattern);
  return rule(z.string(), `\`${pattern}\``, (name) => name === "" || regexp.test(name));
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

/** `empty`: what it means to leave it out. */
export function optionalCatalogName(pattern: string, empty = "none"): z.ZodString {
  const holds = isCatalogName(pattern);
  const says = `${inCatalog(pattern)}. Empty: ${empty}`;
  return rule(z.string(), says, (name) => name === "" || holds(name), HINT);
}

/** One of several ways to say something; unset passes. */
export function chosenCatalogName(pattern: string): z.ZodType<string | undefined> {
  const holds = isCatalogName(pattern);
  return rule(z.string().optional(), inCatalog(pattern), (name) => name === undefined || holds(name), HINT);
}

/** A resource of a catalog where nothing but its full name will do. */
export function nameInFull(pattern: string): z.ZodString {
  const regexp = patternOf(pattern);
  return rule(z.string(), `\`${pattern}\``, (name) => regexp.test(name), HINT);
}

/** A name that the service does not look at. Whoever reads its comment is told what names are like all the same. */
export const passedOver = (): z.ZodString => z.string().meta({ says: [], hints: [HINT] });

/** The last part of a name to be. */
export function segment(): z.ZodString {
  const says = `Required. Last part of its name; matches \`${SEGMENT}\``;
  return rule(z.string(), says, (name) => patternOf("{name}").test(name), WORDS);
}

const inCatalog = (pattern: string): string => `\`${pattern}\`; in a catalog the last part alone`;

function isCatalogName(pattern: string): (name: string) => boolean {
  const [full, last] = [patternOf(pattern), patternOf("{name}")];
  return (name) => full.test(name) || last.test(name);
}
