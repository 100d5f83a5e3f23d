import { z } from "zod";

/** A path in a value that breaks a rule, and a description of the value there. */
export interface Breach {
  path: (string | number)[];
  got: string;
  /** `got` describes the name of a map's entry, which errors show even if its value is secret. */
  isName?: true;
}

/** Maximum number of breaches reported of one rule for one value; a request can hold a hundred thousand. */
const MOST = 1000;

/**
 * Adds a rule to a schema. `says` is the rule in the exact words of the field's comment in the .proto file, which
 * test/rpc/rules/comments.test.ts verifies. `hint` appears in errors only.
 */
export function rule<S extends z.ZodType>(
  schema: S,
  says: string,
  holds: (value: z.output<S>) => boolean,
  hint?: string,
): S {
  return ruleAt(schema, says, (value) => (holds(value) ? [] : [{ path: [], got: received(value) }]), hint);
}

/** As `rule`, for rules that parts of the value can break, such as items of a list; `breaches` returns their paths. */
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

/** Returns the rules of a schema in the words of the contract. */
export const saysOf = (schema: z.ZodType): string[] => metaOf(schema, "says");
/** Returns the hints of a schema's rules. */
export const hintsOf = (schema: z.ZodType): string[] => metaOf(schema, "hints");

function metaOf(schema: z.ZodType, key: "says" | "hints"): string[] {
  const texts = schema.meta()?.[key];
  return Array.isArray(texts) ? texts : [];
}

const SHOWN = 80;

/** Returns a value for an error: short and on one line. The caller (check.ts) replaces secret values. */
export function received(value: unknown): string {
  if (value === undefined || value === null || value === "") return "nothing";
  if (typeof value === "string") return JSON.stringify(cut(value));
  if (Array.isArray(value)) return `${value.length} items`;
  if (typeof value === "object") return `${Object.keys(value).length} entries`;
  return String(value);
}

/** Cuts a text after SHOWN UTF-16 units, never within a surrogate pair, since half of one cannot be sent. */
function cut(text: string): string {
  if (text.length <= SHOWN) return text;
  return `${text.slice(0, SHOWN).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** Accepts any value. */
export const free = () => z.unknown();
