import { lstatSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";

/** What is removed at once: entries, and bytes of each file and of each folder's list of names. */
const SMALL = { entries: 32, bytes: 1024 * 1024 };

/** How often it is tried with the programs of the system, and the pause before each further try. */
const TRIES = 3;
const PAUSE_MS = 50;
/** Of what stays, so many are named. */
const COMPLAINTS = 3;

/**
 * Removes what programs left, whatever it is; nothing there is no error. What is small, as most is, goes at once: each way
 * to the thread pool takes longer than an entry. What is left (read-only folders such as Go's module cache, names that are
 * no UTF-8, trees deeper than a path may be) goes by `chmod` and `rm`, which work from folder to folder. Programs may still
 * write while they die, so it is tried a few times.
 * @throws Error that names what stays.
 */
export async function removeTree(path: string): Promise<void> {
  if (removeSmall(path, { entries: SMALL.entries })) return;
  try {
    return await rm(path, { recursive: true, force: true, maxRetries: 1, retryDelay: PAUSE_MS });
  } catch {
    for (let tries = 1; ; tries++) {
      // A link in its place would be followed.
      const isFolder = lstatSync(path, { throwIfNoEntry: false })?.isDirectory();
      if (isFolder) await run("chmod", "-R", "u+rwx", "--", path);
      const complaints = await run("rm", "-rf", "--", path);
      if (complaints.length === 0) return;
      if (tries === TRIES) throw new Error(complaints.join("; "));
      await setTimeout(PAUSE_MS);
    }
  }
}

/** Its first complaints; none: it did its work. */
async function run(command: string, ...args: string[]): Promise<string[]> {
  const options = {
    reject: false,
    buffer: false,
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
