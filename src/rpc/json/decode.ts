import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { isSecretPlace } from "../secret-places.ts";

/** Keys and indexes of a place in JSON. */
export type JsonPath = readonly (string | number)[];

export interface Problem {
  path: JsonPath;
  /** Never quotes a secret. */
  description: string;
}

/**
 * Decodes proto3 JSON. If that fails, finds each wrong place by decoding every part separately with protobuf-es, whose own
 * errors name no paths and quote values.
 */
export function decode<D extends DescMessage>(
  desc: D,
  json: JsonValue,
): { message: MessageShape<D>; problems: [] } | { message: undefined; problems: Problem[] } {
  try {
    return { message: fromJson(desc, json), problems: [] };
  } catch (error) {
    const found = problemsOf(desc, json, []);
    // No part is wrong alone: a field is present under both of its names.
    return {
      message: undefined,
      problems: found.length > 0 ? found : [{ path: [], description: reason(error) }],
    };
  }
}

function problemsOf(desc: DescMessage, json: JsonValue, path: JsonPath): Problem[] {
  if (desc.typeName.startsWith("google.protobuf.")) {
    return decodes(desc, json) ? [] : [{ path, description: mismatch(expectedOf(desc), json, path) }];
  }
  if (!isObject(json)) {
    const got = holdsSecrets(desc) ? kindOf(json) : received(json, path);
    return [{ path, description: `expected fields with values, got ${got}` }];
  }
  return Object.entries(json).flatMap(([key, value]) => {
    const field = desc.fields.find(({ jsonName, name }) => key === jsonName || key === name);
    if (field) return fieldProblems(desc, field, key, value, [...path, key]);
    const known = desc.fields.filter(isInput).map(({ jsonName }) => jsonName);
    // The name of the JSON property may be a misplaced secret, so the error does not quote it.
    if (isSecretPlace(path))
      return [{ path, description: `has an unknown field; expected one of ${known.join(", ")}` }];
    return [{ path: [...path, key], description: `is unknown; expected one of ${known.join(", ")}` }];
  });
}

function fieldProblems(
  desc: DescMessage,
  field: DescField,
  key: string,
  value: JsonValue,
  at: JsonPath,
): Problem[] {
  if (decodes(desc, { [key]: value })) return [];
  const problem = (expected: string, got: JsonValue, path: JsonPath): Problem[] => [
    { path, description: mismatch(expected, got, path) },
  ];
  if (field.fieldKind === "list") {
    if (!Array.isArray(value)) return problem("a list", value, at);
    return value.flatMap((item, i) => {
      if (field.listKind === "message") return problemsOf(field.message, item, [...at, i]);
      return decodes(desc, { [key]: [item] }) ? [] : problem(expectedIn(field), item, [...at, i]);
    });
  }
  if (field.fieldKind === "map") {
    if (!isObject(value)) return problem("names with values", value, at);
    return Object.entries(value).flatMap(([name, item]) => {
      if (decodes(desc, { [key]: { [name]: item } })) return [];
      if (field.mapKind === "message") return problemsOf(field.message, item, [...at, name]);
      return problem(expectedIn(field), item, [...at, name]);
    });
  }
  if (field.fieldKind === "message") return problemsOf(field.message, value, at);
  return problem(expectedIn(field), value, at);
}

const SCALARS: Partial<Record<ScalarType, string>> = {
  [ScalarType.STRING]: "text",
  [ScalarType.BYTES]: "base64",
  [ScalarType.BOOL]: "true or false",
  [ScalarType.DOUBLE]: "a number",
  [ScalarType.FLOAT]: "a number",
};

/** Describes the values that a field, or each item or entry of it, takes. */
function expectedIn(field: DescField): string {
  if (field.enum) {
    const names = field.enum.values.filter(({ number }) => number !== 0).map(({ name }) => name);
    return `one of ${names.join(", ")}`;
  }
  return SCALARS[field.scalar ?? ScalarType.INT32] ?? "a whole number in its range";
}

const WELL_KNOWN: Record<string, string> = {
  "google.protobuf.Duration": 'seconds, such as "600s"',
  "google.protobuf.Timestamp": 'a time, such as "2026-01-31T12:00:00Z"',
  "google.protobuf.Struct": "an object, not nested too deeply",
  "google.protobuf.FieldMask": 'names of fields, such as "displayName,runTimeout"',
};

const expectedOf = ({ typeName }: DescMessage): string => WELL_KNOWN[typeName] ?? "another value";

const SHOWN = 80;

function mismatch(expected: string, json: JsonValue, path: JsonPath): string {
  const got = received(json, path);
  return expected.startsWith("one of")
    ? `must be ${expected}; got ${got}`
    : `expected ${expected}, got ${got}`;
}

function received(json: JsonValue, path: JsonPath): string {
  return isSecretPlace(path) ? kindOf(json) : shown(json);
}

/** True if text in place of this message may be or contain a secret. */
function holdsSecrets({ typeName, fields }: DescMessage): boolean {
  if (typeName.startsWith("google.protobuf.")) return false;
  return fields.some(
    ({ name, message }) => isSecretPlace([name]) || (message !== undefined && holdsSecrets(message)),
  );
}

/** Returns a scalar as it is, and the kind of any other value. */
function shown(json: JsonValue): string {
  return typeof json === "object" ? kindOf(json) : JSON.stringify(json).slice(0, SHOWN).toWellFormed();
}

function kindOf(json: JsonValue): string {
  if (json === null) return "nothing";
  if (Array.isArray(json)) return "a list";
  return { object: "an object", string: "text", number: "a number", boolean: "true or false" }[
    typeof json as "object" | "string" | "number" | "boolean"
  ];
}

/** True if JSON can be decoded as this message. */
export function decodes(desc: DescMessage, json: JsonValue): boolean {
  try {
    fromJson(desc, json);
    return true;
  } catch {
    return false;
  }
}

/** Returns the message of an error without the prefix that names the message type. */
function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^cannot decode (?:field |message )?\S+ from JSON:? /, "");
}

function isObject(json: JsonValue): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/** False for output-only fields, which errors do not suggest. */
function isInput({ name }: DescField): boolean {
  return !["etag", "create_time", "update_time"].includes(name);
}
