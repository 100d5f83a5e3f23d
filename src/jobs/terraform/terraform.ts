import type { JsonObject } from "@bufbuild/protobuf";
import type { App, BaseEnvironment } from "../app.ts";
import { type ToldTask, typeEnvironment } from "../task-details.ts";

/** What the Terraform family is called with; a part of the task's details. */
export interface TerraformInput extends ToldTask {
  arguments: { template: readonly string[]; task: readonly string[] };
  variables: JsonObject;
  secretVariables: Readonly<Record<string, string>>;
  env: Readonly<Record<string, string>>;
  terraform: {
    planOnly: boolean;
    destroy: boolean;
    autoApprove: boolean;
    upgrade: boolean;
    reconfigure: boolean;
    /** By `init`, `plan` or `apply`. */
    stageArguments: Readonly<Record<string, readonly string[]>>;
    backend: { type: string; config: Readonly<Record<string, string>> } | undefined;
  };
}

/** Files beside the workspace, by absolute path. */
export interface TerraformFiles {
  plan: string;
  /** In this order; later ones win. */
  variables: readonly string[];
  backend: string | undefined;
}

/** How long a stage waits for somebody else's lock before it says who holds it. */
const PATIENCE = "-lock-timeout=5s";

export interface TerraformStages {
  init: string[];
  workspace: string[] | undefined;
  plan: string[];
  show: { json: string[]; text: string[] };
  apply: string[];
}

/**
 * The arguments of each stage. What users add comes first, so that it cannot take the plan elsewhere. The template's and
 * the task's own arguments, variables and `-destroy` make the plan; a saved plan is applied as it is and takes none.
 */
export function terraformStages(
  app: App,
  input: TerraformInput,
  files: TerraformFiles,
  workspace: string | undefined,
): TerraformStages {
  const { terraform } = input;
  const own = (stage: string) => terraform.stageArguments[stage];
  const call = (...args: string[]) => [...app.args, ...args];
  const flags = { upgrade: terraform.upgrade, reconfigure: terraform.reconfigure };
  const chosen = Object.entries(flags).flatMap(([flag, isSet]) => (isSet ? [`-${flag}`] : []));
  const backend = files.backend === undefined ? [] : [`-backend-config=${files.backend}`];
  return {
    init: call("init", ...(own("init") ?? []), "-input=false", ...chosen, ...backend),
    workspace:
      workspace === undefined ? undefined : call("workspace", "select", "-or-create=true", workspace),
    plan: call(
      "plan",
      PATIENCE,
      ...files.variables.map((file) => `-var-file=${file}`),
      ...(own("plan") ?? input.arguments.template),
      ...input.arguments.task,
      ...(terraform.destroy ? ["-destroy"] : []),
      "-input=false",
      "-detailed-exitcode",
      `-out=${files.plan}`,
    ),
    show: { json: call("show", "-json", files.plan), text: call("show", "-no-color", files.plan) },
    apply: call("apply", PATIENCE, ...(own("apply") ?? []), "-input=false", files.plan),
  };
}

/** The whole environment. Variables are no part of it: secret ones would show in it, and each stage would want them. */
export function terraformEnvironment(
  app: App,
  input: TerraformInput,
  base: BaseEnvironment,
): Record<string, string> {
  const ours = { TF_IN_AUTOMATION: "1", CHECKPOINT_DISABLE: "1" };
  return { ...base, ...app.env, ...ours, ...input.env, TF_INPUT: "0", ...typeEnvironment(input) };
}

/** An override file of the configuration's own backend (Terraform: "Override Files"). */
export function backendOverride(type: string): JsonObject {
  return { terraform: { backend: { [type]: {} } } };
}
