import { Command, Option } from "commander";
import { type Flags, SETTINGS } from "../../config.ts";
import { serve } from "../../main.ts";
import { formsOf } from "../../settings/setting.ts";
import { UsageError } from "../errors.ts";

/** Runs `signalman serve` with its arguments; sets the exit code when the server has ended. */
export async function runServe(program: Command, args: readonly string[]): Promise<void> {
  refuseClientOptions(program);
  const command = new Command("signalman serve")
    .copyInheritedSettings(program)
    .helpOption("-h, --help", "display help for command")
    .description(
      "Runs the server until SIGTERM or SIGINT. Running tasks go on, and the next server on the data folder takes them over.",
    )
    .addHelpText("after", onlyFromEnvironment());
  const options = formsOf(SETTINGS).flatMap(({ key, flag, placeholder, env, description, default: text }) => {
    if (!flag) return [];
    const option = new Option(
      placeholder ? `--${flag} <${placeholder}>` : `--${flag}`,
      `${description} (env: ${env}; default: ${text})`,
    );
    command.addOption(option);
    return [{ key, name: option.attributeName(), isSwitch: !placeholder, isSetBy: !option.negate }];
  });
  command.action(async (given: Record<string, string | boolean | undefined>) => {
    // commander reads --no-auth as the opposite of --auth: true without the flag, false with it.
    const textOf = ({ name, isSwitch, isSetBy }: (typeof options)[number]): string | undefined => {
      if (!isSwitch) return given[name] as string | undefined;
      return given[name] === isSetBy ? "true" : undefined;
    };
    const flags: Flags = Object.fromEntries(options.map((option) => [option.key, textOf(option)]));
    process.exitCode = await serve(flags);
  });
  await command.parseAsync(args, { from: "user" });
}

/** Refuses the options of a client, which commander takes wherever they stand. @throws UsageError */
function refuseClientOptions(program: Command): void {
  for (const name of ["server", "token", "caFile", "json"]) {
    if (program.getOptionValueSource(name) !== "cli") continue;
    throw new UsageError(
      name === "token"
        ? "serve takes its token from SIGNALMAN_TOKEN, or from --token-file"
        : `serve has no --${name === "caFile" ? "ca-file" : name}`,
    );
  }
}

/** Help text for settings without a flag, which are secrets. */
function onlyFromEnvironment(): string {
  const lines = Object.values(SETTINGS)
    .filter(({ flag }) => !flag)
    .map(({ env, description, default: text }) => `  ${env}  ${description} (default: ${text})`);
  return `\nOnly from the environment or from a file:\n${lines.join("\n")}`;
}
