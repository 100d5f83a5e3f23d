import type { Command } from "commander";
import { createProgram } from "../../src/cli/program.ts";
import { SETTINGS } from "../../src/config.ts";
import { formsOf } from "../../src/settings/setting.ts";
import { markdownTable } from "./markdown-table.ts";

const WIDTH = 100;

/** Returns docs/cli.md: the help text of every command, and the settings of the server as a table. */
export async function cliReference(): Promise<string> {
  const program = createProgram();
  const commands = program.commands.filter((command) => command.description() !== "");
  return `# Command line

\`signalman COMMAND [OPTIONS]\`. Output of tasks goes to stdout, messages of the command line go to stderr.

\`\`\`text
${helpOf(program)}
\`\`\`

${commands.map(section).join("\n")}`;
}

function section(command: Command): string {
  if (command.name() === "serve") return `## signalman serve\n\n${settings()}`;
  const parts = command.commands.length > 0 ? command.commands : [command];
  const text = parts.map((part) => `\`\`\`text\n${helpOf(part)}\n\`\`\`\n`).join("\n");
  return `## signalman ${command.name()}\n\n${text}`;
}

function helpOf(command: Command): string {
  const parts: string[] = [];
  command
    .configureOutput({
      writeOut: (part) => void parts.push(part),
      getOutHelpWidth: () => WIDTH,
      getOutHasColors: () => false,
    })
    .outputHelp();
  return parts.join("").trimEnd();
}

function settings(): string {
  const rows = formsOf(SETTINGS).map(({ flag, placeholder, env, description, default: text }) => [
    flag ? `\`--${[flag, placeholder].filter(Boolean).join(" ")}\`` : "",
    `\`${env}\``,
    description,
    text,
  ]);
  return `Runs the server until SIGTERM or SIGINT. Running tasks go on; the next server on the same data folder takes them over.
A flag overrides its variable. Settings without a flag are secrets: the arguments of a process can be read by every user
of the machine. A secret can be given by a file instead, whose last line break is left out. An unknown setting, or a value that cannot be read, ends the start with an error that names it.

${markdownTable(["flag", "variable", "meaning", "default"], rows)}`;
}
