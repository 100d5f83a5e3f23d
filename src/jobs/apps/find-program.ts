import { statSync } from "node:fs";
import { isAbsolute, sep } from "node:path";
import { findInPath, isExecutable } from "../../files/find-in-path.ts";
import type { App } from "./app.ts";

/** Returns the absolute path of an app's program, found in `path`; undefined: none that can be executed. */
export function findProgram(
  { command, otherwise }: Pick<App, "command" | "otherwise">,
  path: string,
): string | undefined {
  return findCommand(command, path) ?? (otherwise === undefined ? undefined : findCommand(otherwise, path));
}

/** Names the programs that `findProgram` looks for, for a message. */
export function programNames({ command, otherwise }: Pick<App, "command" | "otherwise">): string {
  return otherwise === undefined ? command : `${command} or ${otherwise}`;
}

/** Says why a command given as a path cannot be executed; undefined: the command is a name, which is looked for in PATH. */
export function pathTrouble({ command }: Pick<App, "command">): string | undefined {
  if (!command.includes(sep)) return undefined;
  if (!isAbsolute(command)) return "its path is not absolute";
  try {
    const found = statSync(command, { throwIfNoEntry: false });
    if (found === undefined) return "there is no such file";
    return found.isFile() ? "the server's user may not execute it" : "it is not a file";
  } catch {
    return "the server's user may not access it";
  }
}

function findCommand(command: string, path: string): string | undefined {
  if (!command.includes(sep)) return findInPath(command, path);
  return isAbsolute(command) && isExecutable(command) ? command : undefined;
}
