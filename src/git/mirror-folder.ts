import { lstat, mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolder, type Owner } from "../files/owned.ts";
import { removeTree } from "../process/remove-tree.ts";
import { isDamage, isOtherFormat } from "./failures.ts";
import { GitError, type RunGit, repositoryAt } from "./run.ts";

/**
 * Removes files that a killed git process left in a bare repository: locks, incomplete packs and objects. No other git process
 * may be working on the repository.
 */
export async function removeTraces(repository: string): Promise<void> {
  const list = async (folder: string, options: { recursive?: boolean } = {}) =>
    (await readdir(join(repository, folder), options).catch(() => [])).map((name) => join(folder, name));
  const objects = await list("objects");
  const inside = objects.filter((folder) => /^objects\/([0-9a-f]{2}|info|pack)$/.test(folder));
  const found = [
    ...(await list(".")),
    ...(await list("refs", { recursive: true })),
    ...objects,
    ...(await Promise.all(inside.map((folder) => list(folder)))).flat(),
  ];
  const traces = found.filter((path) => path.endsWith(".lock") || /^objects\/(.*\/)?tmp_/.test(path));
  for (const trace of traces) await removeTree(join(repository, trace));
}

/**
 * Returns why git must not work in this mirror: a named pipe or a device, at which git would hang; a link or a file
 * `commondir`, through which git would write into another repository. Git creates none of them in a mirror, but a task can,
 * since it runs as the server's user. undefined: there is no such entry, or no mirror.
 */
export async function findObstacle(repository: string): Promise<Error | undefined> {
  try {
    if ((await lstat(repository)).isSymbolicLink()) return new Error(`${repository} is a link`);
    const entries = await readdir(repository, { recursive: true, withFileTypes: true });
    const odd = entries.find((entry) => !entry.isFile() && !entry.isDirectory());
    if (odd) return new Error(`${join(odd.parentPath, odd.name)} is neither a file nor a folder`);
    const leadsAway = entries.some(
      ({ name, parentPath }) => name === "commondir" && parentPath === repository,
    );
    return leadsAway
      ? new Error(
          `${join(repository, "commondir")} names another repository, as a linked worktree does; a mirror must be a repository of its own`,
        )
      : undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ENOENT"
      ? undefined
      : new Error(`${repository} cannot be read: ${message}`, { cause: error });
  }
}

/**
 * Returns git's error if a failed fetch shows that the mirror is damaged: git's message says so, or git cannot read the commits
 * of the mirror's refs either, for which it needs no remote. undefined: the mirror is not damaged.
 */
export async function damageOf(
  error: unknown,
  repository: string,
  run: RunGit,
  signal: AbortSignal,
): Promise<GitError | undefined> {
  if (!(error instanceof GitError)) return undefined;
  if (isDamage(error) || isOtherFormat(error)) return error;
  const read = run(["rev-list", "--all", "--no-walk", "--quiet"], { ...repositoryAt(repository), signal });
  return read.then(
    () => undefined,
    (unreadable: unknown) => {
      if (unreadable instanceof GitError) return unreadable;
      throw unreadable;
    },
  );
}

/** Makes an empty mirror at `path`, which is removed on disposal unless it was renamed meanwhile. */
export async function initialize(
  path: string,
  format: "sha1" | "sha256",
  { run, owner }: { run: RunGit; owner: Owner | undefined },
  signal: AbortSignal,
) {
  const remove = () => removeTree(path);
  await remove();
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  makeFolder(path, owner);
  const half = { path, [Symbol.asyncDispose]: remove };
  await using stack = new AsyncDisposableStack();
  stack.use(half);
  const how = ["--quiet", "--bare", "--template=", `--object-format=${format}`];
  await run(["init", ...how, "."], { cwd: path, signal });
  stack.move();
  return half;
}
