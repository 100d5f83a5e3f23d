import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { AnsibleParams, TerraformParams } from "../../gen/signalman/v1/task_pb.ts";
import type { RunTaskRequest } from "../../gen/signalman/v1/task_service_pb.ts";
import { SurveyType, type SurveyVariable, type Template } from "../../gen/signalman/v1/template_pb.ts";
import { familyOf } from "../task/apps.ts";
import type { FieldViolation } from "../task/errors.ts";
import type { TaskSpec } from "../task/types.ts";

/** What a caller asks for, secret values included. */
export type Asked = Pick<TaskSpec, "variables" | "env" | "arguments" | "gitBranch" | "commit"> & {
  secretVariables: Record<string, string>;
  /** Full name; empty: the template's. */
  inventory: string;
  params: Params;
};

/** What is set for the app, as RunTaskRequest and Task have it. */
export type Params = RunTaskRequest["params"];

/** Which overrides need the template's leave. */
const OVERRIDES: readonly Override[] = [
  { field: "arguments", allowed: (t) => t.allowOverrideArguments, given: (a) => a.arguments.length > 0 },
  { field: "git_branch", allowed: (t) => t.allowOverrideGitBranch, given: (a) => a.gitBranch !== "" },
  { field: "commit", allowed: (t) => t.allowOverrideGitBranch, given: (a) => a.commit !== "" },
  { field: "inventory", allowed: (t) => t.allowOverrideInventory, given: (a) => a.inventory !== "" },
  ansible("limit", "allowOverrideLimit", ({ limit }) => limit.length > 0),
  ansible("tags", "allowOverrideTags", ({ tags }) => tags.length > 0),
  ansible("skip_tags", "allowOverrideSkipTags", ({ skipTags }) => skipTags.length > 0),
  ansible("verbosity", "allowOverrideVerbosity", ({ verbosity }) => verbosity !== undefined),
  terraform("destroy", "allowDestroy", ({ destroy }) => destroy),
  terraform("auto_approve", "allowAutoApprove", ({ autoApprove }) => autoApprove),
];

interface Override {
  field: string;
  allowed(template: Template): boolean;
  given(asked: Asked): boolean;
}

function ansible(
  field: string,
  flag: "allowOverrideLimit" | "allowOverrideTags" | "allowOverrideSkipTags" | "allowOverrideVerbosity",
  given: (params: AnsibleParams) => boolean,
): Override {
  return {
    field: `ansible.${field}`,
    allowed: ({ settings }) => settings.case === "ansible" && settings.value[flag],
    given: ({ params }) => params.case === "ansible" && given(params.value),
  };
}

function terraform(
  field: string,
  flag: "allowDestroy" | "allowAutoApprove",
  given: (params: TerraformParams) => boolean,
): Override {
  return {
    field: `terraform.${field}`,
    allowed: ({ settings }) => settings.case === "terraform" && settings.value[flag],
    given: ({ params }) => params.case === "terraform" && given(params.value),
  };
}

/** Everything that the template does not allow or its survey does not accept, by field of RunTaskRequest. */
export function checkAsked(template: Template, asked: Asked): FieldViolation[] {
  const refused = OVERRIDES.filter(({ allowed, given }) => given(asked) && !allowed(template)).map(
    ({ field }) => ({ field, description: `${template.name} does not allow its tasks to set this` }),
  );
  const twice = Object.keys(asked.secretVariables)
    .filter((name) => Object.hasOwn(asked.variables, name))
    .map((name) => ({
      field: `secret_variables[${JSON.stringify(name)}]`,
      description: "also stands in variables",
    }));
  return [
    ...refused,
    ...misfits(template, asked),
    ...twice,
    ...template.survey.flatMap((question) => checkAnswer(question, asked)),
  ];
}

/** What another app would understand, or another project has. */
function misfits(template: Template, asked: Asked): FieldViolation[] {
  const { name, app } = template;
  const { inventory, params, variables } = asked;
  const found: FieldViolation[] = [];
  if (params.case !== undefined && params.case !== familyOf(app))
    found.push({ field: params.case, description: `${name} runs ${app}, which has no such settings` });
  const [, project = ""] = name.split("/");
  if (inventory !== "" && !inventory.startsWith(`projects/${project}/`))
    found.push({ field: "inventory", description: `must be one of projects/${project}, not ${inventory}` });
  if (familyOf(app) === "ansible") found.push(...expressionNames(app, variables));
  if (familyOf(app) === "terraform") found.push(...detours(template, asked));
  return found;
}

/** Other ways to say what the template's leave and its survey are for. */
function detours({ name, app, settings }: Template, { env, arguments: args }: Asked): FieldViolation[] {
  const settingUp = Object.keys(env).filter((variable) => /^(TF|TG|TERRAGRUNT)_/.test(variable));
  const mayDestroy = settings.case === "terraform" && settings.value.allowDestroy;
  const destroying = [...args.entries()].filter(([, arg]) => !mayDestroy && /^--?destroy(=|$)/.test(arg));
  return [
    ...settingUp.map((variable) => ({
      field: `env[${JSON.stringify(variable)}]`,
      description: `sets up ${app}, which only environment and template may; variables belong into variables`,
    })),
    ...destroying.map(([index]) => ({
      field: `arguments[${index}]`,
      description: `${name} does not allow its tasks to destroy`,
    })),
  ];
}

/** Texts are tagged so that Ansible does not evaluate them; what it makes of a name, it evaluates all the same. */
function expressionNames(app: string, variables: JsonObject): FieldViolation[] {
  return Object.entries(variables)
    .filter(([name, value]) => namesHold(/\{[{%#]/, { [name]: value }))
    .map(([name]) => ({
      field: `variables[${JSON.stringify(name)}]`,
      description: `no name in it may hold {{, {% or {#, for app ${app}`,
    }));
}

/** Names of objects, however deep they lie. */
function namesHold(pattern: RegExp, value: JsonValue): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some((item) => namesHold(pattern, item));
  return Object.entries(value).some(([name, inner]) => pattern.test(name) || namesHold(pattern, inner));
}

function checkAnswer(question: SurveyVariable, asked: Asked): FieldViolation[] {
  const { name } = question;
  const open = ownValue(asked.variables, name);
  const secret = ownValue(asked.secretVariables, name);
  const at = (field: string, description: string) => [
    { field: `${field}[${JSON.stringify(name)}]`, description },
  ];
  if (question.type === SurveyType.SECRET) {
    if (open !== undefined) return at("variables", "is a secret: give it in secret_variables");
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

/** A name of a user's may be one that all objects have, such as `constructor`. */
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

/** The value as text if it is not a right answer. */
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

/** What the survey answers where the caller did not. */
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
