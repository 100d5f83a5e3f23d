import type { JsonObject } from "@bufbuild/protobuf";
import { SurveyType, type Template } from "../../gen/signalman/v1/template_pb.ts";
import { familyOf } from "../jobs/families/all.ts";
import type { FieldViolation } from "../task/errors.ts";
import { IDENTIFIER_WORDS, isIdentifier } from "../task/identifiers.ts";
import { startEffect } from "../task/start-names.ts";

/** The release from which stored templates with such names are refused as new ones are. */
export const REFUSED_FROM = "0.3";

/** A name in a template that new templates cannot have. Stored ones keep it, with a warning, until REFUSED_FROM. */
export interface OutdatedName extends FieldViolation {
  name: string;
}

/**
 * Returns the names that a new template could not have: variables of shell-like apps and make that are no identifiers, which
 * programs may read as options, and questions whose answers would change how programs start.
 * `variables`: those of the template, or those that its tasks get
 */
export function outdatedNames(
  { app, survey }: Pick<Template, "app" | "survey">,
  variables: JsonObject = {},
): OutdatedName[] {
  const { variablesAsWords, variablesAreEnvironment } = familyOf(app);
  const options = variablesAsWords ? Object.keys(variables).filter((name) => !isIdentifier(name)) : [];
  const asked = survey.flatMap(({ name, type }, index) => {
    const effect = type === SurveyType.SECRET || variablesAreEnvironment ? startEffect(name) : undefined;
    return effect === undefined ? [] : [{ name, index, effect }];
  });
  return [
    ...options.map((name) => ({
      name,
      field: `variables[${JSON.stringify(name)}]`,
      description: `app ${app} accepts only variable names of ${IDENTIFIER_WORDS}`,
    })),
    ...asked.map(({ name, index, effect }) => ({
      name,
      field: `survey[${index}].name`,
      description: `${name} changes ${effect}; no caller may set it`,
    })),
  ];
}
