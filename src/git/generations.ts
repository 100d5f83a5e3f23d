import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readRegular } from "../files/regular-file.ts";
import { replaceFile } from "../files/replace-file.ts";
import { removeTree } from "../process/remove-tree.ts";

/** One copy of a remote repository on this machine. A damaged copy is replaced by the next generation. */
export interface Generation {
  path: string;
  /** Number of the generation, from 1. */
  number: number;
}

/** Suffix of the file beside a replaced generation: a JSON list of the ids of tasks that may borrow its objects. */
const BORROWERS = ".tasks";

/** Returns the generation of that number. The first has the path `<name>`, later ones `<name>.2`, `<name>.3`, …. */
export function generationOf(root: string, name: string, number: number): Generation {
  return { path: join(root, number === 1 ? name : `${name}.${number}`), number };
}

/** Returns the name of the mirror to which an entry of the mirrors' folder belongs. */
export const mirrorOf = (entry: string) => entry.split(".")[0] ?? entry;

/** Lists the existing generations of a mirror, the newest last. */
export async function listGenerations(root: string, name: string): Promise<Generation[]> {
  const numbers = (await readdir(root).catch(() => [])).flatMap((found) => {
    if (found === name) return [1];
    const number = found.startsWith(`${name}.`) ? found.slice(name.length + 1) : "";
    return /^[1-9]\d*$/.test(number) ? [Number(number)] : [];
  });
  return numbers.sort((a, b) => a - b).map((number) => generationOf(root, name, number));
}

/**
 * Removes damaged mirrors that a newer generation of the mirror has replaced, once no task can borrow objects from them. All
 * tasks that exist when this first runs after a replacement count as borrowers; later tasks clone from the newer generation.
 * The decision depends on no clock and on no file that tasks can write.
 * `list`: returns the ids of tasks that have a folder on this machine
 */
export async function removeReplaced(
  root: string,
  name: string,
  list: () => Promise<readonly string[]>,
): Promise<void> {
  const tasks = await list();
  for (const { path } of (await listGenerations(root, name)).slice(0, -1)) {
    const borrowers = readBorrowers(path);
    if (!borrowers) replaceFile(path + BORROWERS, JSON.stringify(tasks));
    if ((borrowers ?? tasks).some((task) => tasks.includes(task))) continue;
    await removeTree(path);
    await rm(path + BORROWERS, { force: true });
  }
}

/** Largest size of the file of borrowers in bytes, enough for more tasks than a machine can have. */
const MAX_BORROWERS = 16 * 1024 * 1024;

/** Reads the borrowers of a generation; undefined: they were not recorded yet, or not completely. */
function readBorrowers(path: string): string[] | undefined {
  try {
    return JSON.parse(String(readRegular(path + BORROWERS, { maxBytes: MAX_BORROWERS })));
  } catch {
    return undefined;
  }
}
