import { access, constants, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join, sep } from "node:path";
import type { App } from "./apps/app.ts";

/** Absolute path of an app's program as a PATH finds it; undefined: there is none that can be executed. */
export async function findProgram(
  { command, otherwise }: Pick<App, "command" | "otherwise">,
  path: string,
): Promise<string | undefined> {
  const found = await findCommand(command, path);
  return found ?? (otherwise === undefined ? undefined : findCommand(otherwise, path));
}

/** What `findProgram` looks for, in words. */
export function programNames({ command, otherwise }: Pick<App, "command" | "otherwise">): string {
  return otherwise === undefined ? command : `${command} or ${otherwise}`;
}

async function findCommand(command: string, path: string): Promise<string | undefined> {
  const places = command.includes(sep)
    ? [command]
    : path.split(delimiter).map((folder) => join(folder, command));
  for (const place of places) {
    if (isAbsolute(place) && (await isExecutable(place))) return place;
  }
  return undefined;
}

// Most places hold nothing of that name: one question each.
async function isExecutable(path: string): Promise<boolean> {
  try {
    if (!(await stat(path)).isFile()) return false;
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
