import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";

export type Plain = { [field: string]: unknown };

/**
 * Returns the plain object that the rules read: every field, those of a oneof included, as a property under its name in the
 * .proto file, undefined if it is not set. A google.protobuf.Value becomes its JSON value; other google.protobuf messages
 * stay as they are.
 */
export function plainOf(desc: DescMessage, message: Message): Plain {
  const view = message as unknown as Record<string, unknown>;
  return Object.fromEntries(
    desc.fields.map((field) => [field.name, plainValue(field, valueIn(field, view))]),
  );
}

function valueIn(field: DescField, message: Record<string, unknown>): unknown {
  if (field.oneof === undefined) return message[field.localName];
  const chosen = message[field.oneof.localName] as { case?: string; value?: unknown };
  return chosen.case === field.localName ? chosen.value : undefined;
}

/** Marks a google.protobuf.Value without a value, which only a binary request can contain. */
export const NOTHING = Symbol("nothing");

function plainValue(field: DescField, value: unknown): unknown {
  if (field.message?.typeName === ValueSchema.typeName && value !== undefined)
    return plainJson(value as Value);
  if (field.message === undefined || value === undefined || isOpaque(field.message)) return value;
  const desc = field.message;
  if (field.fieldKind === "list") return (value as Message[]).map((item) => plainOf(desc, item));
  if (field.fieldKind === "map") {
    const entries = Object.entries(value as Record<string, Message>);
    return Object.fromEntries(entries.map(([key, item]) => [key, plainOf(desc, item)]));
  }
  return plainOf(desc, value as Message);
}

function plainJson({ kind: { case: kind, value } }: Value): unknown {
  if (kind === undefined) return NOTHING;
  if (kind === "nullValue") return null;
  if (kind === "listValue") return value.values.map(plainJson);
  if (kind !== "structValue") return value;
  return Object.fromEntries(Object.entries(value.fields).map(([key, inner]) => [key, plainJson(inner)]));
}

/** True for messages that rules treat as single values: durations, timestamps, Structs and the like. */
export function isOpaque(desc: DescMessage): boolean {
  return desc.typeName.startsWith("google.protobuf.");
}
