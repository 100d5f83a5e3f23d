import { shellWord } from "../../process/shell-word.ts";
import type { TerraformStages } from "./terraform.ts";

/** Files of the driver, by absolute path. */
export interface DriverFiles {
  /**
   * A line for each stage that ended, its name and its exit code. `ephemeral`: apply needs the variables again; `confirm`:
   * the plan waits for that.
   */
  stages: string;
  planJson: string;
  planText: string;
  /** Outputs of the state, once they are what the configuration says. */
  outputs: string;
}

/** What a stage runs. */
export interface StageCommand {
  command: string;
  /** The words that restore its environment, which passes through the script's shell (process/carried-environment.ts). */
  restore: readonly string[];
}

/**
 * A shell script that goes from `init`, with the environment `fetching`, to the plan, and on to `apply` if no one is to be
 * asked.
 */
export function driverScript(
  program: StageCommand,
  stages: TerraformStages,
  files: DriverFiles,
  then: "apply" | "confirm" | "end",
  fetching: Readonly<Record<string, string>> = {},
): string {
  const line = stageLine(program);
  return script(files, [
    `${line("init", stages.init, only(fetching))} || exit`,
    ...(stages.workspace ? [selection(program, stages.workspace)] : []),
    line("plan", stages.plan),
    `case $code in 0) ${outputs(program, stages, files)}; exit 0 ;; 2) ;; *) exit "$code" ;; esac`,
    ...kept(line("show", stages.show.json), files.planJson, files),
    ...kept(line("show", stages.show.text), files.planText, files),
    `if ${hasEphemeral}; then echo ephemeral >>${shellWord(files.stages)}; apply=with; fi`,
    ...(then === "apply"
      ? [
          `case $apply in`,
          `with) ${line("apply", stages.applyWithVariables)} || exit ;;`,
          `*) ${line("apply", stages.apply)} || exit ;;`,
          `esac`,
          outputs(program, stages, files),
        ]
      : []),
    ...(then === "confirm" ? [`echo confirm >>${shellWord(files.stages)}`] : []),
  ]);
}

/** A shell script that applies a plan that was confirmed. */
export function applyScript(
  program: StageCommand,
  stages: TerraformStages,
  files: DriverFiles,
  isEphemeral: boolean,
): string {
  const args = isEphemeral ? stages.applyWithVariables : stages.apply;
  return script(files, [`${stageLine(program)("apply", args)} || exit`, outputs(program, stages, files)]);
}

/**
 * Outlives the server as any program does; what it has come to stands in `stages`. SIGINT reaches the whole group: Terraform
 * saves its state and goes, and the script, which must not go first, begins no other stage. (A trap with a command is reset
 * in children.)
 */
function script(files: DriverFiles, lines: readonly string[]): string {
  return `${[
    "stopped= apply=",
    "trap 'stopped=yes' INT TERM HUP",
    "stage() {",
    "  name=$1; shift",
    '  "$@"',
    "  code=$?",
    `  echo "$name $code" >>${shellWord(files.stages)}`,
    '  if [ "$stopped" ]; then exit 130; fi',
    "  return $code",
    "}",
    ...lines,
  ].join("\n")}\n`;
}

const words = ({ command, restore }: StageCommand, args: readonly string[], before: readonly string[] = []) =>
  [...restore, ...before, command, ...args].map(shellWord).join(" ");

const stageLine =
  (program: StageCommand) =>
  (name: string, args: readonly string[], before: readonly string[] = []) =>
    `stage ${name} ${words(program, args, before)}`;

/** Without them the task is no worse: what they say stands in the state. */
function outputs(program: StageCommand, { output }: TerraformStages, files: DriverFiles): string {
  const file = shellWord(files.outputs);
  return `${words(program, output)} >${file} 2>/dev/null || rm -f ${file}`;
}

/** Runs what follows with these variables over the program's environment. */
function only(env: Readonly<Record<string, string>>): string[] {
  const pairs = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return pairs.length > 0 ? ["/usr/bin/env", ...pairs] : [];
}

/**
 * Whether the configuration declares something ephemeral. Nothing shows which variables of a plan are; those that are not
 * may be given to `apply` again, with the same values, by each Terraform and OpenTofu that knows ephemeral ones. Earlier ones
 * refuse any. Terragrunt works in a copy of the configuration.
 */
const hasEphemeral = (() => {
  const pattern = shellWord('^[^#]*\\bephemeral"?[[:space:]]*[=:][[:space:]]*true');
  return [
    `grep -Eqs ${pattern} *.tf *.tofu *.tf.json *.tofu.json`,
    `grep -Eqrs --include='*.tf' --include='*.tofu' --include='*.json' ${pattern} .terragrunt-cache`,
  ].join(" || ");
})();

/** Selects a workspace that is not selected. Some backends know nothing but `default`, and select not even that. */
function selection(
  program: StageCommand,
  { name, show, select }: NonNullable<TerraformStages["workspace"]>,
): string {
  const isSelected = name === "default" ? `[ "$(${words(program, show)} 2>/dev/null)" = default ] || ` : "";
  return `${isSelected}${stageLine(program)("workspace", select)} || exit`;
}

/** By cat, since Terraform passes over a disk that is full: what it shows would be cut off, and its exit code 0. */
function kept(show: string, file: string, { stages }: DriverFiles): string[] {
  return [
    `${show} | cat >${shellWord(file)} || exit`,
    'if [ "$stopped" ]; then exit 130; fi',
    `if [ "$(tail -n 1 ${shellWord(stages)})" != "show 0" ]; then exit 1; fi`,
  ];
}

/** Where a driver has come to. */
export interface Progress {
  hasPlanned: boolean;
  /** The plan changes something, and has been shown. */
  hasChanges: boolean;
  hasApplied: boolean;
  /** Its variables are needed again to apply it. */
  isEphemeral: boolean;
  waits: boolean;
}

export function readProgress(stages: string): Progress {
  const lines = stages.split("\n");
  return {
    hasPlanned: lines.includes("plan 0") || lines.includes("show 0"),
    hasChanges: lines.includes("show 0"),
    hasApplied: lines.includes("apply 0"),
    isEphemeral: lines.includes("ephemeral"),
    waits: lines.includes("confirm"),
  };
}
