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
