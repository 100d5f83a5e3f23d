import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readRegular } from "../files/regular-file.ts";
import { replaceFile } from "../files/replace-file.ts";

/** One copy of a remote repository; the next one takes its place when it is damaged. */
export interface Generation {
  path: string;
  /** From 1. */
  number: number;
}

/** Tasks that may borrow objects of a replaced generation stand in a file beside it, as a JSON list of their ids. */
const BORROWERS = ".tasks";

/** `<name>`, then `<name>.2`, `<name>.3`, …. */
export function generationOf(root: string, name: string, number: number): Generation {
  return { path: join(root, number === 1 ? name : `${name}.${number}`), number };
}

/** Name of the mirror to which an entry of the mirrors' folder belongs. */
export const mirrorOf = (entry: string) => entry.split(".")[0] ?? entry;

/** All generations of a mirror that are there, the newest last. */
export async function listGenerations(root: string, name: string): Promise<Generation[]> {
  const numbers = (await readdir(root).catch(() => [])).flatMap((found) => {
    if (found === name) return [1];
    const number = found.startsWith(`${name}.`) ? found.slice(name.length + 1) : "";
    return /^[1-9]\d*$/.test(number) ? [Number(number)] : [];
  });
  return numbers.sort((a, b) => a - b).map((number) => generationOf(root, name, number));
}

/**
 * Removes the generations that were replaced and from which no task borrows: of the tasks that were there after the
 * replacement none is left. Later tasks do not know the replaced one, so no clock is asked, and nothing that tasks write.
 * @param list ids of the tasks that have a folder on this machine.
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
    await rm(path, { recursive: true, force: true });
    await rm(path + BORROWERS, { force: true });
  }
}

/** Some MB name more tasks than a machine can have. */
const MAX_BORROWERS = 16 * 1024 * 1024;

/** Undefined: none were noted yet, or not to the end. */
function readBorrowers(path: string): string[] | undefined {
  try {
    return JSON.parse(String(readRegular(path + BORROWERS, { maxBytes: MAX_BORROWERS })));
  } catch {
    return undefined;
  }
}
