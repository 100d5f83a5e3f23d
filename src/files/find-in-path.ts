import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

/** Looks a program up in the folders of `path`. Returns its absolute path; undefined: no folder has such a program. */
export function findInPath(name: string, path: string): string | undefined {
  const places = path.split(delimiter).map((folder) => join(folder, name));
  return places.find((place) => isAbsolute(place) && isExecutable(place));
}

/**
 * Whether a path is a file that this user may execute. Synchronous: one stat for each folder of PATH, most of which fail, takes
 * less time than the thread pool would.
 */
export function isExecutable(path: string): boolean {
  try {
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return false;
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
