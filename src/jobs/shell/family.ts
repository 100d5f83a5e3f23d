import { commandOf, type Family } from "../family.ts";
import { assertPath, type ScriptInput } from "../script.ts";
import { type ShellInput, shellArguments, shellEnvironment } from "./shell.ts";

export type ShellFamilyInput = ShellInput & ScriptInput & { template: { app: string } };

/** Programs that run one script: bash, python and the like. */
export const shellFamily: Family<ShellFamilyInput> = {
  async prepare({ input, app, folder, base, commit }) {
    const env = shellEnvironment(app, input, base, commit);
    assertPath(folder.work, input, "file");
    const command = commandOf(app, input.template.app, env.PATH);
    return { command, args: shellArguments(app, input), cwd: folder.work, env };
  },
};
