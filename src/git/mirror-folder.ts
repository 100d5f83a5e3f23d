import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Removes what a git that was killed left in a bare repository, on which nobody else works: locks, half packs. */
export async function removeTraces(repository: string): Promise<void> {
  const top = await readdir(repository).catch(() => []);
  const refs = await readdir(join(repository, "refs"), { recursive: true }).catch(() => []);
  const packs = await readdir(join(repository, "objects/pack")).catch(() => []);
  const objects = await readdir(join(repository, "objects")).catch(() => []);
  const traces = [
    ...top.filter(isLock),
    ...refs.filter(isLock).map((name) => join("refs", name)),
    ...packs
      .filter((name) => name.startsWith("tmp_") || isLock(name))
      .map((name) => join("objects/pack", name)),
    ...objects.filter((name) => name.startsWith("tmp_")).map((name) => join("objects", name)),
  ];
  for (const trace of traces) await rm(join(repository, trace), { recursive: true, force: true });
}

const isLock = (name: string) => name.endsWith(".lock");
