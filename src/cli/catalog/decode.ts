import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { Path } from "./path.ts";

export interface Problem {
  path: Path;
  description: string;
}

/**
 * Decodes proto3 JSON. Where it is wrong, finds each place by decoding every part on its own: the rules stay those of the
 * library, which tells no paths.
 */
export function decode<D extends DescMessage>(
  desc: D,
  json: JsonValue,
): { message: MessageShape<D>; problems: [] } | { message: undefined; problems: Problem[] } {
  try {
    return { message: fromJson(desc, json), problems: [] };
  } catch (error) {
    const found = problemsOf(desc, json, []);
    // Parts that are right alone and wrong together: a field under both of its names.
    return {
      message: undefined,
      problems: found.length > 0 ? found : [{ path: [], description: reason(error) }],
    };
  }
}

function problemsOf(desc: DescMessage, json: JsonValue, path: Path): Problem[] {
  if (desc.typeName.startsWith("google.protobuf.")) return problemOf(desc, json, path);
  if (!isObject(json)) return [{ path, description: `expected fields with values, got ${kindOf(json)}` }];
  return Object.entries(json).flatMap(([key, value]) => {
    const at = [...path, key];
    const field = desc.fields.find(({ jsonName, name }) => key === jsonName || key === name);
    if (!field)
      return [
        {
          path: at,
          description: `is unknown; there are ${desc.fields
            .filter(isInput)
            .map((f) => f.jsonName)
            .join(", ")}`,
        },
      ];
    return fieldProblems(desc, field, key, value, at);
  });
}

function fieldProblems(
  desc: DescMessage,
  field: DescField,
  key: string,
  value: JsonValue,
  at: Path,
): Problem[] {
  if (works(desc, { [key]: value })) return [];
  if (field.fieldKind === "list" && Array.isArray(value)) {
    return value.flatMap((item, i) => {
      if (field.listKind === "message") return problemsOf(field.message, item, [...at, i]);
      return problemOf(desc, { [key]: [item] }, [...at, i]);
    });
  }
  if (field.fieldKind === "map" && isObject(value)) {
    return Object.entries(value).flatMap(([k, v]) => problemOf(desc, { [key]: { [k]: v } }, [...at, k]));
  }
  if (field.fieldKind === "message") return problemsOf(field.message, value, at);
  if (field.fieldKind === "enum") {
    const names = field.enum.values.filter(({ number }) => number !== 0).map(({ name }) => name);
    return [{ path: at, description: `must be one of ${names.join(", ")}; got ${JSON.stringify(value)}` }];
  }
  return problemOf(desc, { [key]: value }, at);
}

function problemOf(desc: DescMessage, json: JsonValue, path: Path): Problem[] {
  try {
    fromJson(desc, json);
    return [];
  } catch (error) {
    return [{ path, description: `${expected(desc)}${reason(error)}` }];
  }
}

/** The library says no more of a wrong duration than what it was. */
function expected({ typeName }: DescMessage): string {
  return typeName === "google.protobuf.Duration" ? 'expected seconds, such as "600s", got ' : "";
}

function works(desc: DescMessage, json: JsonValue): boolean {
  return problemOf(desc, json, []).length === 0;
}

/** Without the part that names the message in the library's way. */
function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text
    .replace(/^cannot decode (?:field |message )?\S+ from JSON:? /, "")
    .replace(/^(?:list item #1|map entry "[^"]*"): /, "");
}

function kindOf(json: JsonValue): string {
  if (json === null) return "nothing";
  return Array.isArray(json) ? "a list" : JSON.stringify(json);
}

function isObject(json: JsonValue): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/** Fields that only the service sets are nothing to offer. */
function isInput({ name }: DescField): boolean {
  return !["etag", "create_time", "update_time"].includes(name);
}
