import type { JsonObject } from "@bufbuild/protobuf";
import type { TemplateType } from "../../../../gen/signalman/v1/template_pb.ts";
import { PrepareError } from "../../../task/errors.ts";

/** Task details that an apply needs in addition to the plan file. */
export interface BasisInput {
  template: {
    path: string;
    type: TemplateType;
    environment: string;
    survey: readonly { name: string; default: string }[];
  };
  arguments: { template: readonly string[]; task: readonly string[] };
  variables: JsonObject;
  env: Readonly<Record<string, string>>;
  /** Names of the variables in `env` whose values are secret. */
  secretEnv: ReadonlySet<string>;
  terraform: { stageArguments: Readonly<Record<string, readonly string[]>> };
}

/** Stored record of the inputs that a plan was made with. */
interface Basis extends Omit<BasisInput, "secretEnv" | "arguments" | "variables"> {
  secretEnv: string[];
  /** Absent in plans of earlier releases, which do not need them. */
  arguments?: BasisInput["arguments"];
  variables?: JsonObject;
}

/**
 * Returns the JSON to store beside the plan, so that the plan is applied with the inputs it was made with even if its template
 * and environment change while it waits. Secret values are not stored.
 */
export function basisOf(input: BasisInput): string {
  const { template, env, secretEnv, terraform, variables } = input;
  const { path, type, environment } = template;
  const survey = template.survey.map((question) => ({ name: question.name, default: question.default }));
  const open = Object.entries(env).filter(([name]) => !secretEnv.has(name));
  const basis: Basis = {
    template: { path, type, environment, survey },
    arguments: input.arguments,
    variables,
    env: Object.fromEntries(open),
    secretEnv: [...secretEnv],
    terraform: { stageArguments: terraform.stageArguments },
  };
  return JSON.stringify(basis);
}

/**
 * Returns the task's details with the stored inputs of the plan. Secret values are the current ones, so that a renewed
 * credential is used, but only from the environment that they came from.
 * @throws PrepareError if the template names another environment now, or a secret is missing: the plan is stale.
 */
export function onBasis<Input extends BasisInput>(input: Input, kept: string): Input {
  const { template, env, secretEnv, terraform, ...rest } = JSON.parse(kept) as Basis;
  const { environment } = template;
  if (secretEnv.length > 0 && input.template.environment !== environment) {
    const now = input.template.environment || "none";
    throw stale(`it was made with the secrets of ${environment}, and its template now names ${now}`);
  }
  const secrets = secretEnv.map((name): [string, string] => {
    const value = input.secretEnv.has(name) ? input.env[name] : undefined;
    if (value === undefined)
      throw stale(`it was made with the secret ${name} of ${environment}, which no longer exists`);
    return [name, value];
  });
  return {
    ...input,
    ...rest,
    template: { ...input.template, ...template },
    env: { ...env, ...Object.fromEntries(secrets) },
    terraform: { ...input.terraform, ...terraform },
  };
}

function stale(why: string): PrepareError {
  return new PrepareError(
    `Cannot apply the plan, which is stale: ${why}. Run the template again for a new plan`,
  );
}
