import type { JsonObject } from "@bufbuild/protobuf";
import { SurveyType, type SurveyVariable } from "../../gen/signalman/v1/template_pb.ts";

/**
 * Tells whether answers to a question are text, so that `0123`, `true` and `1.10` keep the form in which they were
 * typed.
 */
export function isTextQuestion({ type }: Pick<SurveyVariable, "type">): boolean {
  return type !== SurveyType.INT && type !== SurveyType.SECRET;
}

/**
 * Returns the variables with numbers and booleans turned into text where they answer a question of text or a choice.
 */
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
