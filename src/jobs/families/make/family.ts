import { dirname, join, relative } from "node:path";
import { commandOf, type Family } from "../family.ts";
import { assertPath, type ScriptInput, scriptPlace } from "../script.ts";
import { type ShellInput, shellEnvironment } from "../shell/shell.ts";
import { makeVariables } from "./arguments.ts";
import { makeHook } from "./hook.ts";
import { checkMakeAsked, type MakeSettings, makeSettings, meaningToMake } from "./request.ts";

export type MakeFamilyInput = ShellInput & ScriptInput & { template: { app: string }; make: MakeSettings };

/**
 * The family of GNU make. A template's `path` is a makefile, which runs in the makefile's folder, or in `working_dir`. Plain
 * variables become arguments `NAME=VALUE` with their text unexpanded; secret variables are only in the environment.
 */
export const makeFamily = {
  apps: { make: { command: "make", args: [] } },
  graceMs: 10_000,
  hook: makeHook,
  settings: makeSettings,
  variablesAsWords: true,
  variablesAreEnvironment: true,
  special: meaningToMake,
  checkAsked: checkMakeAsked,
  async prepare({ input, app, folder, base, commit }) {
    const env = shellEnvironment(app, input, base, commit);
    const { cwd, path } = placeOf(folder.work, input);
    const command = commandOf(app, input.template.app, env.PATH);
    const { template, task } = input.arguments;
    const variables = makeVariables(input.variables);
    const args = [...app.args, `--file=${path}`, ...template, ...variables, ...input.make.targets, ...task];
    return { command, args, cwd, env };
  },
} satisfies Family<MakeFamilyInput>;

function placeOf(work: string, input: MakeFamilyInput): { cwd: string; path: string } {
  if (input.template.workingDir !== "") return scriptPlace(work, input);
  assertPath(work, input, "file");
  const makefile = join(work, input.template.path);
  return { cwd: dirname(makefile), path: relative(dirname(makefile), makefile) };
}
