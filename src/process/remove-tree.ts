import { lstatSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";

/** What is removed at once: entries, and bytes of each file and of each folder's list of names. */
const SMALL = { entries: 32, bytes: 1024 * 1024 };

/**
 * Removes what programs left, whatever it is; nothing there is no error. What is small, as most is, goes at once: each way
 * to the thread pool takes longer than an entry. Otherwise programs may have made their folders read-only, or still write
 * while they die: it is tried a few times.
 */
export async function removeTree(path: string): Promise<void> {
  if (!removeSmall(path, { entries: SMALL.entries }))
    await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** False: something of it is still there. */
function removeSmall(path: string, left: { entries: number }): boolean {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found) return true;
    if (--left.entries < 0 || found.size > SMALL.bytes) return false;
    if (!found.isDirectory()) {
      unlinkSync(path);
      return true;
    }
    const names = readdirSync(path);
    if (names.length > left.entries || !names.every((name) => removeSmall(join(path, name), left)))
      return false;
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}
