import { lstatSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";
import { openEntry, openFolder } from "../files/owned.ts";

/**
 * Limits of a tree that is removed synchronously: its entries, and the bytes of each file and of each folder's list
 * of names.
 */
const SMALL = { entries: 32, bytes: 1024 * 1024 };

/** Attempts with the system's programs, and milliseconds between them. */
const TRIES = 3;
const PAUSE_MS = 50;
/** Lines of error output that name paths which remain. */
const COMPLAINTS = 3;

/**
 * Removes a file or folder of whatever kind that programs have left; a path that does not exist is no error. Small
 * trees, which are the most common, are removed synchronously, since each round trip to the thread pool takes longer
 * than an entry. Trees that Node cannot remove (read-only folders such as Go's module cache, names that are not
 * UTF-8, paths longer than the system allows) are removed by `chmod` and `rm`, which work from folder to folder.
 * Programs that are ending may still write, so there are three attempts.
 *
 * Root removes trees of other users, who may put a link in the place of a folder at any time. So root goes from folder to
 * folder by descriptors, and leaves larger trees to `rm`, which does the same.
 * @throws Error that names the paths that remain
 */
export async function removeTree(path: string): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  using parent = isRoot ? openIfThere(dirname(path)) : { path: dirname(path), [Symbol.dispose]() {} };
  if (!parent) return;
  const place = join(parent.path, basename(path));
  if (removeSmall(place, { entries: SMALL.entries }, isRoot)) return;
  try {
    if (!isRoot) return await rm(path, { recursive: true, force: true, maxRetries: 1, retryDelay: PAUSE_MS });
  } catch {}
  for (let tries = 1; ; tries++) {
    // chmod would follow a link that has taken the folder's place. Root needs no permission.
    if (!isRoot && lstatSync(place, { throwIfNoEntry: false })?.isDirectory())
      await run("chmod", "-R", "u+rwx", "--", place);
    const complaints = await run("rm", "-rf", "--", place);
    if (complaints.length === 0) return;
    if (tries === TRIES) throw new Error(complaints.join("; ").replaceAll(parent.path, dirname(path)));
    await setTimeout(PAUSE_MS);
  }
}

/** Opens a folder; undefined: it does not exist. */
function openIfThere(path: string) {
  try {
    return openFolder(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Returns the first lines of error output; none if the command succeeded. */
async function run(command: string, ...args: string[]): Promise<string[]> {
  const options = {
    reject: false,
    buffer: false,
    // The server's own working directory may be gone, or closed to the user it runs as.
    cwd: "/",
    stdin: "ignore",
    stdout: "ignore",
    env: { LC_ALL: "C" },
  } as const;
  const child = execa(command, args, options);
  const complaints: string[] = [];
  for await (const line of child.iterable({ from: "stderr" }))
    if (complaints.length < COMPLAINTS) complaints.push(line);
  const { failed, shortMessage } = await child;
  return failed ? [...complaints, ...(complaints.length === 0 ? [shortMessage ?? command] : [])] : [];
}

/** Returns false if a part of the tree remains. `byDescriptors`: through a descriptor of each folder. */
function removeSmall(path: string, left: { entries: number }, byDescriptors: boolean): boolean {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found) return true;
    if (--left.entries < 0 || found.size > SMALL.bytes) return false;
    if (!found.isDirectory()) {
      unlinkSync(path);
      return true;
    }
    using folder = byDescriptors ? openEntry(path) : undefined;
    const place = folder?.path ?? path;
    const names = readdirSync(place);
    if (
      names.length > left.entries ||
      !names.every((name) => removeSmall(join(place, name), left, byDescriptors))
    )
      return false;
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}
