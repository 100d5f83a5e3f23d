import { shellWord } from "../../../process/shell-word.ts";
import type { TerraformStages } from "./terraform.ts";

/** Files that the script writes, by absolute path. */
export interface DriverFiles {
  /**
   * Record of progress: a line with name and exit code for each stage that has ended; the line `ephemeral` if `apply` needs
   * the variables again; the line `confirm` if the plan waits for a person.
   */
  stages: string;
  planJson: string;
  planText: string;
  /** Outputs of the state, written once the state matches the configuration. */
  outputs: string;
}

/** Program of every stage. */
export interface StageCommand {
  command: string;
  /** Words before the command that restore its environment after the shell (process/carried-environment.ts). */
  restore: readonly string[];
}

/**
 * Returns a shell script that runs `init`, makes and shows the plan and, if `then` is `apply`, applies it.
 * `fetching`: environment variables for `init` alone, with which it fetches modules
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

/** Returns a shell script that applies a confirmed plan. */
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
 * Returns a shell script that runs `lines` and records finished stages in `stages`; the script outlives the server. SIGINT
 * reaches the whole process group: Terraform saves its state and exits, while the script, whose trap keeps it from exiting
 * first, then starts no other stage. (A trap with a command is reset in child processes.)
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

/** Writes the outputs to their file. A failure does not fail the task, since the outputs are in the state too. */
function outputs(program: StageCommand, { output }: TerraformStages, files: DriverFiles): string {
  const file = shellWord(files.outputs);
  return `${words(program, output)} >${file} 2>/dev/null || rm -f ${file}`;
}

/** Returns words that run the command after them with these variables added to its environment. */
function only(env: Readonly<Record<string, string>>): string[] {
  const pairs = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return pairs.length > 0 ? ["/usr/bin/env", ...pairs] : [];
}

/**
 * Shell condition: the configuration declares something ephemeral. A plan does not tell which of its variables are ephemeral.
 * Versions of Terraform and OpenTofu that know ephemeral variables accept all variables at `apply`, if the values are the
 * same; earlier versions refuse any. Terragrunt works in a copy of the configuration, below .terragrunt-cache.
 */
const hasEphemeral = (() => {
  const pattern = shellWord('^[^#]*\\bephemeral"?[[:space:]]*[=:][[:space:]]*true');
  return [
    `grep -Eqs ${pattern} *.tf *.tofu *.tf.json *.tofu.json`,
    `grep -Eqrs --include='*.tf' --include='*.tofu' --include='*.json' ${pattern} .terragrunt-cache`,
  ].join(" || ");
})();

/**
 * Returns a line that selects a workspace. Some backends have only the workspace `default` and refuse to select even that, so
 * it is not selected if it is current.
 */
function selection(
  program: StageCommand,
  { name, show, select }: NonNullable<TerraformStages["workspace"]>,
): string {
  const isSelected = name === "default" ? `[ "$(${words(program, show)} 2>/dev/null)" = default ] || ` : "";
  return `${isSelected}${stageLine(program)("workspace", select)} || exit`;
}

/**
 * Returns lines that write the output of `show` to a file. They write through `cat`, which fails on a full disk; Terraform
 * would write incomplete output and exit with 0.
 */
function kept(show: string, file: string, { stages }: DriverFiles): string[] {
  return [
    `${show} | cat >${shellWord(file)} || exit`,
    'if [ "$stopped" ]; then exit 130; fi',
    `if [ "$(tail -n 1 ${shellWord(stages)})" != "show 0" ]; then exit 1; fi`,
  ];
}

/** Progress of the script, read from its file of stages. */
export interface Progress {
  hasPlanned: boolean;
  /** The plan has changes, and they have been shown. */
  hasChanges: boolean;
  hasApplied: boolean;
  /** `apply` needs the plan's variables again. */
  isEphemeral: boolean;
  /** The plan waits for a person to confirm it. */
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
