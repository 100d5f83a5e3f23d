import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { SurveyType, type SurveyVariable, type Template } from "../../gen/signalman/v1/template_pb.ts";
import { FAMILIES, familyNameOf, familyOf } from "../jobs/families/all.ts";
import type { Asked, Override } from "../jobs/families/family.ts";
import type { FieldViolation } from "../task/errors.ts";
import { checkNames } from "./caller-names.ts";
import type { TemplateParts } from "./template.ts";

/** Fields of a request that override the template, each with the template's field that allows it. */
const OVERRIDES: readonly Override[] = [
  {
    field: "arguments",
    allowedBy: "allow_override_arguments",
    allowed: (t) => t.allowOverrideArguments,
    given: (a) => a.arguments.length > 0,
  },
  {
    field: "git_branch",
    allowedBy: "allow_override_git_branch",
    allowed: (t) => t.allowOverrideGitBranch,
    given: (a) => a.gitBranch !== "",
  },
  {
    field: "commit",
    allowedBy: "allow_override_git_branch",
    allowed: (t) => t.allowOverrideGitBranch,
    given: (a) => a.commit !== "",
  },
  {
    field: "inventory",
    allowedBy: "allow_override_inventory",
    allowed: (t) => t.allowOverrideInventory,
    given: (a) => a.inventory !== "",
  },
  ...Object.values(FAMILIES).flatMap(({ overrides = [] }) => overrides),
];

/**
 * Returns a violation for each field of RunTaskRequest that the template does not allow or its survey does not accept.
 */
export function checkAsked(
  { template, environment }: Pick<TemplateParts, "template" | "environment">,
  asked: Asked,
): FieldViolation[] {
  const refused = OVERRIDES.filter(({ allowed, given }) => given(asked) && !allowed(template)).map(
    ({ field, allowedBy }): FieldViolation => ({
      field,
      description: `${template.name} does not allow its tasks to set this: it would have to set ${allowedBy}`,
      reason: "OVERRIDE_NOT_ALLOWED",
    }),
  );
  const twice = Object.keys(asked.secretVariables)
    .filter((name) => Object.hasOwn(asked.variables, name))
    .map((name) => ({
      field: `secret_variables[${JSON.stringify(name)}]`,
      description: "is also set in variables; set it in one of the two",
    }));
  return [
    ...refused,
    ...checkNames(template, environment, asked),
    ...misfits(template, asked),
    ...twice,
    ...template.survey.flatMap((question) => checkAnswer(question, asked)),
  ];
}

/** Returns violations for settings of another app and for an inventory of another project. */
function misfits(template: Template, asked: Asked): FieldViolation[] {
  const { name, app } = template;
  const { inventory, params } = asked;
  const found: FieldViolation[] = [];
  if (params.case !== undefined && params.case !== familyNameOf(app))
    found.push({ field: params.case, description: `${name} runs ${app}, which has no such settings` });
  const [, project = ""] = name.split("/");
  if (inventory !== "" && !inventory.startsWith(`projects/${project}/`))
    found.push({
      field: "inventory",
      description: `must be an inventory of projects/${project}, not ${inventory}`,
    });
  return [...found, ...(familyOf(app).checkAsked?.(template, asked) ?? [])];
}

function checkAnswer(question: SurveyVariable, asked: Asked): FieldViolation[] {
  const { name } = question;
  const open = ownValue(asked.variables, name);
  const secret = ownValue(asked.secretVariables, name);
  const at = (field: string, description: string) => [
    { field: `${field}[${JSON.stringify(name)}]`, description },
  ];
  if (question.type === SurveyType.SECRET) {
    if (open !== undefined) return at("variables", "is a secret: set it in secret_variables");
    return question.required && secret === undefined ? at("secret_variables", missing(question)) : [];
  }
  if (secret !== undefined)
    return checkValue(question, secret) === undefined ? [] : at("secret_variables", expected(question));
  if (open !== undefined) {
    const wrong = checkValue(question, open);
    return wrong === undefined ? [] : at("variables", `${expected(question)}, not ${wrong || "empty"}`);
  }
  return question.required && question.default === "" ? at("variables", missing(question)) : [];
}

/** Returns a user's value of this name. A name such as `constructor`, which every object inherits, is no value. */
function ownValue<T>(values: Record<string, T>, name: string): T | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function missing(question: SurveyVariable): string {
  return `is required${question.title ? `: ${question.title}` : ""}`;
}

function expected(question: SurveyVariable): string {
  if (question.type === SurveyType.INT) return "must be a whole number";
  if (question.type === SurveyType.ENUM)
    return `must be one of ${question.values.map((v) => v.value).join(", ")}`;
  return "must be text, a number or a boolean";
}

/** Returns the first 80 characters of the value if it is not an accepted answer; undefined if it is. */
function checkValue(question: SurveyVariable, value: JsonValue): string | undefined {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const right = typeof value !== "object" && (ANSWERS[question.type]?.(text, question) ?? true);
  return right ? undefined : text.slice(0, 80);
}

const ANSWERS: Record<SurveyType, (text: string, question: SurveyVariable) => boolean> = {
  [SurveyType.UNSPECIFIED]: () => true,
  [SurveyType.TEXT]: () => true,
  [SurveyType.INT]: (text) => /^-?\d+$/.test(text),
  [SurveyType.ENUM]: (text, question) => question.values.some(({ value }) => value === text),
  [SurveyType.SECRET]: () => true,
};

/** Returns the survey's default answers to the questions that the caller has not answered. */
export function surveyDefaults(
  template: Template,
  asked: Pick<Asked, "variables" | "secretVariables">,
): JsonObject {
  const open = template.survey.filter(
    ({ name, default: text }) =>
      text !== "" && !Object.hasOwn(asked.variables, name) && !Object.hasOwn(asked.secretVariables, name),
  );
  return Object.fromEntries(
    open.map(({ name, type, default: text }) => [
      name,
      type === SurveyType.INT && Number.isSafeInteger(Number(text)) ? Number(text) : text,
    ]),
  );
}
