import type { JsonObject } from "@bufbuild/protobuf";
import type { App, BaseEnvironment } from "../app.ts";
import { type ToldTask, typeEnvironment } from "../task-details.ts";

/** What the Terraform family is called with; a part of the task's details. */
export interface TerraformInput extends ToldTask {
  template: ToldTask["template"] & { survey: readonly { name: string; default: string }[] };
  arguments: { template: readonly string[]; task: readonly string[] };
  variables: JsonObject;
  secretVariables: Readonly<Record<string, string>>;
  /** Names of those of both kinds whose values are the caller's. */
  callerVariables: ReadonlySet<string>;
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
  /** Of variables that the environment and the template set; later files override earlier ones. */
  variables: readonly string[];
  /** Of answers to the survey and variables of the task, which override the template's arguments too. */
  answers: readonly string[];
  backend: string | undefined;
}

/** How long a stage waits for somebody else's lock before it says who holds it. */
const PATIENCE = "-lock-timeout=5s";

export interface TerraformStages {
  init: string[];
  workspace: { name: string; show: string[]; select: string[] } | undefined;
  plan: string[];
  show: { json: string[]; text: string[] };
  apply: string[];
  /** The same with the plan's variables: a saved plan holds no values of ephemeral ones. */
  applyWithVariables: string[];
  output: string[];
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

/** The arguments that set variables: `-var=…`, `-var-file=…`, or with the value as the next argument. */
function variablesAmong(args: readonly string[]): string[] {
  return args.filter(
    (arg, at) => /^--?var(-file)?(=|$)/.test(arg) || /^--?var(-file)?$/.test(args[at - 1] ?? ""),
  );
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
