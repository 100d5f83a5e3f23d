import type { DescField, DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { SurveyValueSchema } from "../../../gen/signalman/v1/template_pb.ts";
import { durationMs } from "../../task/duration.ts";
import type { Path } from "./path.ts";
import type { Source } from "./source.ts";

/** Text fields in which numbers and booleans become text as they are written. */
const SCALARS = new Set([
  "signalman.v1.Template.env",
  "signalman.v1.Environment.env",
  "signalman.v1.SurveyVariable.default",
  "signalman.v1.SurveyValue.value",
]);

/**
 * Expands short forms to proto3 JSON: `PORT: 8080` in `env` and `default: 010` of a question become text exactly as written,
 * `10m` becomes a duration, `values: [a, b]` become answers of a survey, and one name in `allowOverrideEnv` a list. Everything
 * else stays unchanged, right or wrong.
 */
export function spelledOut(desc: DescMessage, value: JsonValue, source: Source, path: Path = []): JsonValue {
  if (desc.typeName === DurationSchema.typeName) return durationText(value);
  if (desc.typeName === SurveyValueSchema.typeName && typeof value !== "object")
    return { value: asText(value, source, path) };
  if (desc.typeName.startsWith("google.protobuf.") || !isObject(value)) return value;
  const entries = Object.entries(value).map(([key, item]) => {
    const field = desc.fields.find(({ jsonName, name }) => key === jsonName || key === name);
    return [key, field ? ofField(field, item, source, [...path, key]) : item];
  });
  return Object.fromEntries(entries) as JsonObject;
}

function ofField(field: DescField, value: JsonValue, source: Source, path: Path): JsonValue {
  const one = (item: JsonValue, at: Path): JsonValue => {
    if (field.message) return spelledOut(field.message, item, source, at);
    return SCALARS.has(`${field.parent.typeName}.${field.name}`) ? asText(item, source, at) : item;
  };
  if (field.fieldKind === "list") {
    if (Array.isArray(value)) return value.map((item, at) => one(item, [...path, at]));
    return field.name === "allow_override_env" && typeof value === "string" ? [value] : value;
  }
  if (field.fieldKind !== "map") return one(value, path);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, one(item, [...path, key])]));
}

function asText(value: JsonValue, source: Source, path: Path): JsonValue {
  if (typeof value !== "number" && typeof value !== "boolean") return value;
  return source.written(path) ?? String(value);
}

/** Durations that are proto3 JSON already, with up to nine decimals. */
const SECONDS = /^\d+(\.\d{1,9})?s$/;

function durationText(value: JsonValue): JsonValue {
  if (typeof value !== "number" && (typeof value !== "string" || SECONDS.test(value))) return value;
  try {
    return `${(durationMs(String(value)) / 1000).toFixed(9).replace(/\.?0+$/, "")}s`;
  } catch {
    return value;
  }
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
