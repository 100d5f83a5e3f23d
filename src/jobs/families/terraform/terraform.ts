import type { JsonObject } from "@bufbuild/protobuf";
import type { App, BaseEnvironment } from "../../apps/app.ts";
import { type ToldTask, typeEnvironment } from "../task-details.ts";

/** Inputs for a call of Terraform, OpenTofu or Terragrunt; a part of the task's details. */
export interface TerraformInput extends ToldTask {
  template: ToldTask["template"] & { survey: readonly { name: string; default: string }[] };
  arguments: { template: readonly string[]; task: readonly string[] };
  variables: JsonObject;
  secretVariables: Readonly<Record<string, string>>;
  /** Names of plain and secret variables whose values come from the caller. */
  callerVariables: ReadonlySet<string>;
  env: Readonly<Record<string, string>>;
  terraform: {
    planOnly: boolean;
    destroy: boolean;
    autoApprove: boolean;
    upgrade: boolean;
    reconfigure: boolean;
    /** Arguments by stage: `init`, `plan` or `apply`. */
    stageArguments: Readonly<Record<string, readonly string[]>>;
    backend: { type: string; config: Readonly<Record<string, string>> } | undefined;
  };
}

/** Files outside the workspace, by absolute path. */
export interface TerraformFiles {
  plan: string;
  /** Files of variables that the environment and the template set; later files override earlier ones. */
  variables: readonly string[];
  /** Files of survey answers and variables of the task, which override the template's arguments too. */
  answers: readonly string[];
  backend: string | undefined;
}

/** Time that a stage waits for a lock on the state before it fails and names the lock's holder. */
const PATIENCE = "-lock-timeout=5s";

export interface TerraformStages {
  init: string[];
  workspace: { name: string; show: string[]; select: string[] } | undefined;
  plan: string[];
  show: { json: string[]; text: string[] };
  apply: string[];
  /** Arguments of `apply` with the plan's variables: a saved plan does not contain the values of ephemeral variables. */
  applyWithVariables: string[];
  output: string[];
}

/**
 * Returns the arguments of each stage. Arguments that users add come first, so that they cannot redirect `-out` of the plan.
 * The arguments of template and task, variables and `-destroy` go to `plan`; `apply` of a saved plan takes none of them.
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
  const varFiles = (paths: readonly string[]) => paths.map((path) => `-var-file=${path}`);
  const planning = [
    ...varFiles(files.variables),
    ...(own("plan") ?? input.arguments.template),
    ...varFiles(files.answers),
    ...input.arguments.task,
  ];
  const apply = (variables: readonly string[]) =>
    call("apply", PATIENCE, ...(own("apply") ?? []), ...variables, "-input=false", files.plan);
  return {
    init: call("init", ...(own("init") ?? []), "-input=false", ...chosen, ...backend),
    workspace:
      workspace === undefined
        ? undefined
        : {
            name: workspace,
            show: call("workspace", "show"),
            select: call("workspace", "select", "-or-create=true", workspace),
          },
    plan: call(
      "plan",
      PATIENCE,
      ...planning,
      ...(terraform.destroy ? ["-destroy"] : []),
      "-input=false",
      "-detailed-exitcode",
      `-out=${files.plan}`,
    ),
    show: { json: call("show", "-json", files.plan), text: call("show", "-no-color", files.plan) },
    apply: apply([]),
    applyWithVariables: apply(variablesAmong(planning)),
    output: call("output", "-json"),
  };
}

/** Returns the arguments that set variables: `-var=…`, `-var-file=…`, or either with its value as the next argument. */
function variablesAmong(args: readonly string[]): string[] {
  return args.filter(
    (arg, at) => /^--?var(-file)?(=|$)/.test(arg) || /^--?var(-file)?$/.test(args[at - 1] ?? ""),
  );
}

/** Returns the whole environment. It contains no Terraform variables: secrets would be visible in it at every stage. */
export function terraformEnvironment(
  app: App,
  input: TerraformInput,
  base: BaseEnvironment,
): Record<string, string> {
  const ours = { TF_IN_AUTOMATION: "1", CHECKPOINT_DISABLE: "1" };
  return { ...base, ...app.env, ...ours, ...input.env, TF_INPUT: "0", ...typeEnvironment(input) };
}

/** Returns the content of an override file that replaces the configuration's backend (Terraform: "Override Files"). */
export function backendOverride(type: string): JsonObject {
  return { terraform: { backend: { [type]: {} } } };
}
