import type { JsonObject } from "@bufbuild/protobuf";
import { SurveyType, type SurveyVariable } from "../../gen/signalman/v1/template_pb.ts";

/** Questions whose answers are text, whatever they look like: `0123`, `true` and `1.10` are no numbers and booleans. */
export function isTextQuestion({ type }: Pick<SurveyVariable, "type">): boolean {
  return type !== SurveyType.INT && type !== SurveyType.SECRET;
}

/** Variables with numbers and booleans written as text, where they answer a question of text or of a choice. */
export function withTextAnswers(
  survey: readonly Pick<SurveyVariable, "name" | "type">[],
  variables: JsonObject,
): JsonObject {
  const names = new Set(survey.filter(isTextQuestion).map(({ name }) => name));
  const entries = Object.entries(variables).map(([name, value]) => {
    const isScalar = typeof value === "number" || typeof value === "boolean";
    return [name, names.has(name) && isScalar ? JSON.stringify(value) : value];
  });
  return Object.fromEntries(entries) as JsonObject;
}
