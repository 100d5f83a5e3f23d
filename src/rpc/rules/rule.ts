import { z } from "zod";

/** One place in a value that breaks a rule, and what stands there in words. */
export interface Breach {
  path: (string | number)[];
  got: string;
  /** `got` tells of the name of a map's entry, which is shown even where its value is secret. */
  isName?: true;
}

/** Of one rule for one value. Nobody reads on, and a request can hold a hundred thousand. */
const MOST = 1000;

/**
 * Adds a rule to a schema. `says` is the rule as the field's comment in the .proto file has it, word for word: a test
 * holds the two together. `hint` is added for the reader of the violation only.
 */
export function rule<S extends z.ZodType>(
  schema: S,
  says: string,
  holds: (value: z.output<S>) => boolean,
  hint?: string,
): S {
  return ruleAt(schema, says, (value) => (holds(value) ? [] : [{ path: [], got: received(value) }]), hint);
}

/** As `rule`, for rules that are broken by places within the value, such as the items of a list. */
export function ruleAt<S extends z.ZodType>(
  schema: S,
  says: string,
  breaches: (value: z.output<S>) => Iterable<Breach>,
  hint?: string,
): S {
  const allowed = hint === undefined ? says : `${says} (${hint})`;
  return schema
    .superRefine((value, context) => {
      for (const { path, ...params } of [...breaches(value)].slice(0, MOST)) {
        context.addIssue({ code: "custom", path, message: allowed, params });
      }
    })
    .meta({ says: [...saysOf(schema), says], hints: [...hintsOf(schema), hint ?? ""] });
}

/** The rules that a schema states, in the words of the contract. */
export const saysOf = (schema: z.ZodType): string[] => metaOf(schema, "says");
/** What it adds to them. */
export const hintsOf = (schema: z.ZodType): string[] => metaOf(schema, "hints");

function metaOf(schema: z.ZodType, key: "says" | "hints"): string[] {
  const texts = schema.meta()?.[key];
  return Array.isArray(texts) ? texts : [];
}

const SHOWN = 80;

/** A value as a violation shows it: short, in one line. (check.ts leaves out what stands in secret fields.) */
export function received(value: unknown): string {
  if (value === undefined || value === null || value === "") return "nothing";
  if (typeof value === "string") return JSON.stringify(cut(value));
  if (Array.isArray(value)) return `${value.length} items`;
  if (typeof value === "object") return `${Object.keys(value).length} entries`;
  return String(value);
}

/** Cuts between characters, not within one: half a surrogate pair cannot be sent. */
function cut(text: string): string {
  if (text.length <= SHOWN) return text;
  return `${text.slice(0, SHOWN).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** Any value will do. */
export const free = () => z.unknown();
