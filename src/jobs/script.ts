import { statSync } from "node:fs";
import { maskUsers } from "../git/remote-url.ts";
import { PrepareError } from "../task/errors.ts";
import { realpathInside } from "./local/realpath-inside.ts";

/** What to run, and where from. */
export interface ScriptInput {
  template: { path: string };
  repository: { name: string; url: string };
}

/** A template's path leads to something of this kind in the workspace. @throws PrepareError */
export function assertPath(
  work: string,
  { template, repository }: ScriptInput,
  kind: "file" | "folder",
): void {
  const found = realpathInside(work, template.path);
  if (found.kind === "missing") {
    throw new PrepareError(
      `Cannot run ${template.path}: there is no such ${kind} in ${repository.name} (${maskUsers(repository.url)})`,
      { cause: found.cause },
    );
  }
  if (found.kind === "outside")
    throw new PrepareError(`Cannot run ${template.path}: it leads out of ${repository.name}`);
  const isFolder = statSync(found.path).isDirectory();
  if (isFolder && kind === "file")
    throw new PrepareError(`Cannot run ${template.path}: it is a folder, not a file`);
  if (!isFolder && kind === "folder")
    throw new PrepareError(`Cannot run ${template.path}: it is a file, not a folder`);
}
