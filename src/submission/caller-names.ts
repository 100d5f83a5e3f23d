import type { Environment } from "../../gen/signalman/v1/environment_pb.ts";
import { SurveyType, type Template } from "../../gen/signalman/v1/template_pb.ts";
import { familyOf } from "../jobs/families/all.ts";
import type { Asked } from "../jobs/families/family.ts";
import type { FieldViolation } from "../task/errors.ts";
import { IDENTIFIER_WORDS, isIdentifier } from "../task/identifiers.ts";
import { startEffect } from "../task/start-names.ts";

/*
 * Decides which names a caller may set. Without the template's permission these are the names that its survey asks for. Names
 * that change how programs start (task/start-names.ts) and names that have a meaning for the app itself need more: callers
 * never set the former, and the latter only if the survey asks for them.
 *
 * A survey cannot ask for a secret whose name changes how programs start, unless the template was stored before this was
 * refused (rpc/catalog/checks.ts). Such a template goes on working, so an answer to its survey is accepted before the name is
 * checked.
 */

/** The three maps of RunTaskRequest whose names reach a program. */
type Place = "env" | "variables" | "secret_variables";

interface Name {
  name: string;
  place: Place;
  template: Template;
  environment: Environment | undefined;
}

/** Why a name is refused: a description for people and a reason for programs. */
type Refusal = Pick<FieldViolation, "description" | "reason">;

/** Maximum number of violations returned; a request can hold some hundred thousand names. */
const MOST = 1000;

/** Returns a violation for each environment variable, variable and secret variable that the caller may not set. */
export function checkNames(
  template: Template,
  environment: Environment | undefined,
  { env, variables, secretVariables }: Pick<Asked, "env" | "variables" | "secretVariables">,
): FieldViolation[] {
  const places = Object.entries({ env, variables, secret_variables: secretVariables }) as [Place, object][];
  const found: FieldViolation[] = [];
  for (const [place, values] of places) {
    for (const name of Object.keys(values)) {
      if (found.length >= MOST) return found;
      const refusal = refusalOf({ name, place, template, environment });
      if (refusal) found.push({ field: `${place}[${JSON.stringify(name)}]`, ...refusal });
    }
  }
  return found;
}

/**
 * Returns those of the caller's secret variables that neither a secret question of the survey asks for nor
 * `allow_override_env` lists. They must not replace environment variables of the operator either, which only the server that
 * runs the task knows.
 */
export function extraSecrets(template: Template, names: readonly string[]): ReadonlySet<string> {
  const asked = new Set(secretQuestions(template).map(({ name }) => name));
  return new Set(names.filter((name) => !asked.has(name) && !allowsEnv(template, name)));
}

function refusalOf(at: Name): Refusal | undefined {
  const { place, name, template } = at;
  if (place === "env") return atStart(at) ?? special(at) ?? notInEnv(at);
  if (place === "variables" && familyOf(template.app).variablesAsWords && !isIdentifier(name))
    return refused(`app ${template.app} accepts only variable names of ${IDENTIFIER_WORDS}`);
  const question = template.survey.find((one) => one.name === name);
  // An answer to a question of another type may be sent in secret_variables too. It is then an environment variable, and is
  // checked as one.
  if (question && (place === "variables" || question.type === SurveyType.SECRET)) return undefined;
  return atStart(at) ?? (question ? undefined : (special(at) ?? notExtra(at))) ?? overridesEnv(at);
}

/** Refuses names that change how programs start, wherever they reach the environment of one. */
function atStart({ place, name, template }: Name): Refusal | undefined {
  if (place === "variables" && !familyOf(template.app).variablesAreEnvironment) return undefined;
  const effect = startEffect(name);
  if (effect === undefined) return undefined;
  return refused(`changes ${effect}; only the environment and the template may set it`);
}

/** Refuses names that have a meaning for the app itself, unless the template names them. */
function special({ place, name, template }: Name): Refusal | undefined {
  const family = familyOf(template.app);
  if (place === "env" && (!family.variablesAreEnvironment || template.allowOverrideEnv.includes(name)))
    return undefined;
  const effect = family.special?.(name);
  if (effect === undefined) return undefined;
  return refused(`${effect}; callers set it only if the survey of ${template.name} asks for it`);
}

function notInEnv({ name, template }: Name): Refusal | undefined {
  return allowsEnv(template, name) ? undefined : notAllowed(doesNotAllow(template));
}

function notExtra({ template }: Name): Refusal | undefined {
  if (template.allowExtraVariables) return undefined;
  return notAllowed(
    `the survey of ${template.name} does not ask for it, and the template does not set allow_extra_variables`,
  );
}

/**
 * Refuses a secret variable that would replace an environment variable of the template or its environment: shell-like apps, make
 * and the programs of hooks get secret variables in their environment.
 */
function overridesEnv({ place, name, template, environment }: Name): Refusal | undefined {
  if (place !== "secret_variables" || allowsEnv(template, name)) return undefined;
  const isSet =
    Object.hasOwn(template.env, name) ||
    Object.hasOwn(environment?.env ?? {}, name) ||
    environment?.secretEnvNames.includes(name);
  return isSet ? notAllowed(`replaces an environment variable; ${doesNotAllow(template)}`) : undefined;
}

const secretQuestions = ({ survey }: Template) => survey.filter(({ type }) => type === SurveyType.SECRET);

const allowsEnv = ({ allowOverrideEnv }: Template, name: string) =>
  allowOverrideEnv.includes("*") || allowOverrideEnv.includes(name);

const doesNotAllow = ({ name }: Template) =>
  `${name} does not allow its tasks to set this: allow_override_env of the template would have to list it`;

const refused = (description: string): Refusal => ({ description, reason: "NAME_REFUSED" });
const notAllowed = (description: string): Refusal => ({ description, reason: "OVERRIDE_NOT_ALLOWED" });
