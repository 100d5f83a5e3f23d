import type { TaskUser } from "../../../process/task-user.ts";
import type { BaseEnvironment } from "../../apps/app.ts";

/** Variables of the server's environment that every program inherits, in addition to PATH and LANG. */
export type Forwarded = Readonly<Record<string, string>>;

export function forwardedVariables(names: readonly string[]): Forwarded {
  const found = names.map((name) => [name, process.env[name]] as const);
  return Object.fromEntries(found.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** Returns the environment that every program inherits; variables that users set override it. */
export function inheritedEnvironment(
  forwarded: Forwarded,
  folder: { home: string; tmp: string; work: string },
  user?: TaskUser,
): BaseEnvironment {
  return {
    ...forwarded,
    ...(user && { USER: user.name, LOGNAME: user.name }),
    PATH: process.env.PATH ?? "/usr/local/bin:/usr/bin:/bin",
    LANG: process.env.LANG ?? "C.UTF-8",
    HOME: folder.home,
    TMPDIR: folder.tmp,
    PWD: folder.work,
  };
}
