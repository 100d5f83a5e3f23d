import { create, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type FieldViolation, invalid } from "../../task/errors.ts";
import { isOpaque } from "../rules/to-plain.ts";

/** Fields that an update does not write: output-only ones, and the name, which selects the resource. */
const NOT_WRITTEN = new Set([
  "name",
  "etag",
  "create_time",
  "update_time",
  "secret_variable_names",
  "secret_env_names",
]);

/**
 * Copies the fields that the mask names from `given` to `stored` (AIP-134): without a mask those that are not empty, with `*`
 * all. A path may lead into messages, but not into lists, maps and Structs, which are replaced as a whole.
 * @throws Failure invalid for a path of a field that does not exist.
 */
export function mergeMasked(
  schema: DescMessage,
  stored: Message,
  given: Message,
  mask: readonly string[],
): void {
  const [into, from] = [reflect(schema, stored), reflect(schema, given)];
  const unknown = mask.filter((path) => path !== "*" && !isField(schema, path.split(".")));
  if (unknown.length > 0) throw invalid(unknown.map((path) => violationOf(schema, path)));
  for (const path of pathsOf(schema, from, mask)) copy(into, from, path.split("."));
}

function pathsOf(schema: DescMessage, from: ReflectMessage, mask: readonly string[]): string[] {
  const all = schema.fields.filter(({ name }) => !NOT_WRITTEN.has(name));
  if (mask.length === 0) return all.filter((field) => from.isSet(field)).map(({ name }) => name);
  if (mask.includes("*")) return inWriteOrder(from, all).map(({ name }) => name);
  return mask.filter((path) => !NOT_WRITTEN.has(path));
}

/** Sorts unset fields first, so that clearing one field of a oneof does not undo setting another. */
function inWriteOrder(from: ReflectMessage, fields: readonly DescField[]): DescField[] {
  return fields.toSorted((a, b) => Number(from.isSet(a)) - Number(from.isSet(b)));
}

function isField(schema: DescMessage, [name, ...rest]: readonly string[]): boolean {
  const field = schema.fields.find((one) => one.name === name);
  if (field === undefined || rest.length === 0) return field !== undefined;
  return field.fieldKind === "message" && !isOpaque(field.message) && isField(field.message, rest);
}

function violationOf(schema: DescMessage, path: string): FieldViolation {
  const names = schema.fields.map(({ name }) => name).filter((name) => !NOT_WRITTEN.has(name));
  const description = `unknown field ${JSON.stringify(path)} of ${schema.name}; expected ${names.join(", ")}`;
  return { field: "update_mask", description };
}

function copy(into: ReflectMessage, from: ReflectMessage, [name, ...rest]: readonly string[]): void {
  const field = into.desc.fields.find((one) => one.name === name);
  if (field === undefined) return;
  if (rest.length === 0) {
    if (from.isSet(field)) into.set(field, from.get(field));
    else into.clear(field);
    return;
  }
  if (field.fieldKind !== "message") return;
  const inner = from.isSet(field) ? from.get(field) : reflect(field.message, create(field.message));
  if (!into.isSet(field)) into.set(field, reflect(field.message, create(field.message)));
  copy(into.get(field), inner, rest);
}
