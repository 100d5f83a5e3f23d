import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join, sep } from "node:path";
import type { App } from "./app.ts";

/** Absolute path of an app's program as a PATH finds it; undefined: there is none that can be executed. */
export function findProgram(
  { command, otherwise }: Pick<App, "command" | "otherwise">,
  path: string,
): string | undefined {
  return findCommand(command, path) ?? (otherwise === undefined ? undefined : findCommand(otherwise, path));
}

/** What `findProgram` looks for, in words. */
export function programNames({ command, otherwise }: Pick<App, "command" | "otherwise">): string {
  return otherwise === undefined ? command : `${command} or ${otherwise}`;
}

/** What is wrong with a program that is named by its path; undefined: it is looked for in a PATH. */
export function pathTrouble({ command }: Pick<App, "command">): string | undefined {
  if (!command.includes(sep)) return undefined;
  if (!isAbsolute(command)) return "its path is not absolute";
  try {
    const found = statSync(command, { throwIfNoEntry: false });
    if (found === undefined) return "there is no such file";
    return found.isFile() ? "this user may not execute it" : "it is no file";
  } catch {
    return "this user may not look at it";
  }
}

function findCommand(command: string, path: string): string | undefined {
  const places = command.includes(sep)
    ? [command]
    : path.split(delimiter).map((folder) => join(folder, command));
  return places.find((place) => isAbsolute(place) && isExecutable(place));
}

// Most places hold nothing of that name: one question each, which takes less than a way to the thread pool.
function isExecutable(path: string): boolean {
  try {
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return false;
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
