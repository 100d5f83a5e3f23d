import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RunGit } from "./run.ts";

/**
 * Removes what a git that was killed left in a bare repository while no other git works on it: locks, half packs, half
 * objects.
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
  for (const trace of traces) await rm(join(repository, trace), { recursive: true, force: true });
}

/**
 * Returns what git would wait at for ever: a named pipe or a device in the place of one of its files, or a link to one. Git
 * makes none in a mirror, but tasks run as the server's user. `undefined`: there is none, or no such repository.
 */
export async function findObstacle(repository: string): Promise<Error | undefined> {
  try {
    const entries = await readdir(repository, { recursive: true, withFileTypes: true });
    const found = entries.find((entry) => !entry.isFile() && !entry.isDirectory());
    if (!found) return undefined;
    return new Error(`${join(found.parentPath, found.name)} is neither a file nor a folder`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ENOENT"
      ? undefined
      : new Error(`${repository} cannot be read: ${message}`, { cause: error });
  }
}

/** An empty mirror, which is removed again if it is still there at the end. */
export async function initialize(path: string, format: "sha1" | "sha256", run: RunGit, signal: AbortSignal) {
  const remove = () => rm(path, { recursive: true, force: true });
  await remove();
  await mkdir(path, { recursive: true, mode: 0o700 });
  const half = { path, [Symbol.asyncDispose]: remove };
  await using stack = new AsyncDisposableStack();
  stack.use(half);
  const how = ["--quiet", "--bare", "--template=", `--object-format=${format}`];
  await run(["init", ...how, "."], { cwd: path, signal });
  stack.move();
  return half;
}
