import { commandOf, type Family } from "../family.ts";
import { type ScriptInput, scriptPlace } from "../script.ts";
import { type ShellInput, shellArguments, shellEnvironment } from "./shell.ts";

export type ShellFamilyInput = ShellInput & ScriptInput & { template: { app: string } };

/** Programs that run one script: bash, python and the like. */
export const shellFamily: Family<ShellFamilyInput> = {
  async prepare({ input, app, folder, base, commit }) {
    const env = shellEnvironment(app, input, base, commit);
    const { cwd, path } = scriptPlace(folder.work, input);
    const command = commandOf(app, input.template.app, env.PATH);
    return { command, args: shellArguments(app, input, path), cwd, env };
  },
};
