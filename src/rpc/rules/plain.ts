import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";

export type Plain = { [field: string]: unknown };

/**
 * A message as the rules see it: every field as an own property under its name in the .proto file, fields of a oneof
 * beside the others, what is not set as undefined. Messages of google.protobuf stay as they are.
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

function plainValue(field: DescField, value: unknown): unknown {
  if (field.message === undefined || value === undefined || isOpaque(field.message)) return value;
  const desc = field.message;
  if (field.fieldKind === "list") return (value as Message[]).map((item) => plainOf(desc, item));
  if (field.fieldKind === "map") {
    const entries = Object.entries(value as Record<string, Message>);
    return Object.fromEntries(entries.map(([key, item]) => [key, plainOf(desc, item)]));
  }
  return plainOf(desc, value as Message);
}

/** Durations, timestamps and Structs: values to the rules, not messages. */
export function isOpaque(desc: DescMessage): boolean {
  return desc.typeName.startsWith("google.protobuf.");
}
