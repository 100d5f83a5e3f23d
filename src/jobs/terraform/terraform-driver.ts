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
}

/** What a stage runs. */
export interface StageCommand {
  command: string;
  /** The words that restore its environment, which passes through the script's shell (process/carried-environment.ts). */
  restore: readonly string[];
}

/**
 * A shell script that goes from `init`, with the environment `fetching`, to the plan, and on to `apply` if no one is to be
 * asked. It outlives the server as any program does; what it has come to stands in `stages`. SIGINT reaches the whole
 * group: Terraform saves its state and goes, and the script, which must not go first, begins no other stage. (A trap with
 * a command is reset in children.)
 */
export function driverScript(
  { command, restore }: StageCommand,
  stages: TerraformStages,
  files: DriverFiles,
  then: "apply" | "confirm" | "end",
  fetching: Readonly<Record<string, string>> = {},
): string {
  const line = (name: string, args: readonly string[]) =>
    `stage ${name} ${[...restore, command, ...args].map(shellWord).join(" ")}`;
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
    `stage init ${[...restore, ...only(fetching), command, ...stages.init].map(shellWord).join(" ")} || exit`,
    ...(stages.workspace ? [selection(command, stages.workspace, line)] : []),
    line("plan", stages.plan),
    'case $code in 0) exit 0 ;; 2) ;; *) exit "$code" ;; esac',
    ...kept(line("show", stages.show.json), files.planJson, files),
    ...kept(line("show", stages.show.text), files.planText, files),
    `if ${hasEphemeral}; then echo ephemeral >>${shellWord(files.stages)}; apply=with; fi`,
    ...(then === "apply"
      ? [
          `case $apply in`,
          `with) ${line("apply", stages.applyWithVariables)} || exit ;;`,
          `*) ${line("apply", stages.apply)} || exit ;;`,
          `esac`,
        ]
      : []),
    ...(then === "confirm" ? [`echo confirm >>${shellWord(files.stages)}`] : []),
  ].join("\n")}\n`;
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
  command: string,
  { name, show, select }: NonNullable<TerraformStages["workspace"]>,
  line: (name: string, args: readonly string[]) => string,
): string {
  const shown = `"$(${[command, ...show].map(shellWord).join(" ")} 2>/dev/null)"`;
  const isSelected = name === "default" ? `[ ${shown} = default ] || ` : "";
  return `${isSelected}${line("workspace", select)} || exit`;
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
