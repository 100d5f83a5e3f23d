import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { hintsOf, saysOf } from "../../../src/rpc/rules/rule.ts";
import { RULES } from "../../../src/rpc/rules/table.ts";
import { isOpaque } from "../../../src/rpc/rules/to-plain.ts";
import { readContract } from "./contract.ts";

const { requests, commentOf } = readContract();

/** Matches words of a comment that state a rule. */
const DEMANDS =
  /Required(?! for)|[Aa]t most \d+( MiB| characters)?|\d+ to \d+( \w+)?|from 1 second|from 0|(?<=[Mm]atch(es)? )`[^`]+`|(no|hold no) NUL|UUID(?= chosen)|each name once|Not for a secret|must not also be in/g;

interface Ruled {
  field: DescField;
  schema: z.ZodType;
  says: string[];
  hints: string[];
}

/** Every field of a message and of the messages in it, with the schema that judges it. */
function ruledFields(desc: DescMessage, schema: z.ZodType): Ruled[] {
  const object = unwrap(schema);
  if (!(object instanceof z.ZodObject)) throw new Error(`no object schema for ${desc.typeName}`);
  const shape: Record<string, z.ZodType> = object.shape;
  expect(Object.keys(shape).sort(), `fields of ${desc.typeName}`).toEqual(
    desc.fields.map((f) => f.name).sort(),
  );
  return desc.fields.flatMap((field) => {
    const inner = shape[field.name] ?? z.never();
    const own = { field, schema: inner, says: saysWithin(inner), hints: hintsOf(inner) };
    if (field.message === undefined || field.fieldKind === "map" || isOpaque(field.message)) return [own];
    return [own, ...ruledFields(field.message, unwrap(inner))];
  });
}

/** Returns the schema of a single value within `optional` and lists. */
function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) return unwrap(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodArray) return unwrap(schema.element as z.ZodType);
  return schema;
}

/** Returns the rules of a field's schema, of its items, and of several fields of an item. */
function saysWithin(schema: z.ZodType): string[] {
  const inner =
    schema instanceof z.ZodOptional
      ? schema.unwrap()
      : schema instanceof z.ZodArray
        ? schema.element
        : undefined;
  return inner === undefined ? saysOf(schema) : [...saysOf(schema), ...saysWithin(inner as z.ZodType)];
}

test.each(requests.map((r) => r.typeName))("%s has an entry", (typeName) => {
  expect(RULES).toHaveProperty([typeName]);
});

describe.each(requests.map((r) => [r.typeName, r] as const))("%s", (typeName, desc) => {
  const schema = RULES[typeName] ?? z.never();
  const fields = ruledFields(desc, schema);

  test("every rule is quoted in the comment of its field", () => {
    for (const { field, says } of fields) {
      for (const text of says) {
        const about = field.message && !isOpaque(field.message) ? commentOf(field.message) : "";
        const within = field.message?.fields.map(commentOf).join(" ") ?? "";
        expect(`${commentOf(field)} ${about} ${within}`, `${field}`).toContain(text);
      }
    }
    const comments = desc.fields.map(commentOf).join(" ");
    for (const text of saysOf(schema)) expect(comments, typeName).toContain(text);
  });

  test("every demand of a comment has a rule", () => {
    for (const { field, says, hints } of fields) {
      const parents = fields.filter(({ field: f }) => f.message === field.parent).flatMap((f) => f.says);
      const enforced = [...says, ...hints, ...parents, ...saysOf(schema)].join(" ");
      for (const [demand] of commentOf(field).matchAll(DEMANDS)) {
        expect(enforced, `${field}: ${demand}`).toContain(demand);
      }
    }
  });
});
