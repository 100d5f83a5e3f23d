import { realpathSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { maskUsers } from "../../git/remote-url.ts";
import { PrepareError } from "../../task/errors.ts";
import { realpathInside } from "../executors/local/realpath-inside.ts";

/** Path of the script, its working directory, and the repository that holds both. */
export interface ScriptInput {
  template: { path: string; workingDir: string };
  repository: { name: string; url: string };
}

/** Asserts that a template's path leads to a file or folder in the workspace. @throws PrepareError if it does not */
export function assertPath(work: string, input: ScriptInput, kind: "file" | "folder"): void {
  findInside(work, input, input.template.path, kind, `run ${input.template.path}`);
}

/**
 * Returns the absolute path of the folder in which a script runs, and the script's path relative to it.
 * @throws PrepareError unless both are in the workspace
 */
export function scriptPlace(work: string, input: ScriptInput): { cwd: string; path: string } {
  const { path, workingDir } = input.template;
  assertPath(work, input, "file");
  if (workingDir === "") return { cwd: work, path };
  const cwd = findInside(work, input, workingDir, "folder", `work in ${workingDir}`);
  return { cwd, path: relative(cwd, join(realpathSync.native(work), path)) };
}

function findInside(
  work: string,
  { repository }: ScriptInput,
  path: string,
  kind: "file" | "folder",
  purpose: string,
): string {
  const refused = (why: string, cause?: unknown) => new PrepareError(`Cannot ${purpose}: ${why}`, { cause });
  const found = realpathInside(work, path);
  if (found.kind === "missing")
    throw refused(
      `there is no such ${kind} in ${repository.name} (${maskUsers(repository.url)})`,
      found.cause,
    );
  if (found.kind === "outside") throw refused(`it leads out of ${repository.name}`);
  const isFolder = statSync(found.path).isDirectory();
  if (isFolder && kind === "file") throw refused("it is a folder, not a file");
  if (!isFolder && kind === "folder") throw refused("it is a file, not a folder");
  return found.path;
}
