import type { JsonObject } from "@bufbuild/protobuf";
import type { TemplateType } from "../../../gen/signalman/v1/template_pb.ts";
import { PrepareError } from "../../task/errors.ts";

/** What an apply takes of a task's details beside the plan. */
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
  /** Names of those in `env` whose values are secret. */
  secretEnv: ReadonlySet<string>;
  terraform: { stageArguments: Readonly<Record<string, readonly string[]>> };
}

/** What a plan was made with. */
interface Basis extends Omit<BasisInput, "secretEnv" | "arguments" | "variables"> {
  secretEnv: string[];
  /** Absent in plans of earlier releases, which need them for nothing. */
  arguments?: BasisInput["arguments"];
  variables?: JsonObject;
}

/**
 * To be kept beside the plan, as JSON: it is applied with what it was made with, whatever its template and environment
 * become while it waits. Secret values are not kept.
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
 * The details as they were when the plan was made. Secret values are those of now, so that a credential that was renewed
 * counts, but only from where they came from.
 * @throws PrepareError if they are no longer there: the plan is stale.
 */
export function onBasis<Input extends BasisInput>(input: Input, kept: string): Input {
  const { template, env, secretEnv, terraform, ...rest } = JSON.parse(kept) as Basis;
  const { environment } = template;
  if (secretEnv.length > 0 && input.template.environment !== environment) {
    const now = input.template.environment || "none";
    throw stale(`it was made with ${environment}, and now its template names ${now}`);
  }
  const secrets = secretEnv.map((name): [string, string] => {
    const value = input.secretEnv.has(name) ? input.env[name] : undefined;
    if (value === undefined) throw stale(`${name} of ${environment} is gone, with which it was made`);
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
