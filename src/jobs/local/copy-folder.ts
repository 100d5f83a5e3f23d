import { constants, type Dirent } from "node:fs";
import { chmod, copyFile, mkdir, readdir, readlink, stat, symlink } from "node:fs/promises";
import { join } from "node:path";

/** Entries of one folder that are copied at once. */
const AT_ONCE = 16;

/**
 * Copies what a folder holds into one that exists: files with their modes, folders, and links as they are; sockets,
 * pipes and devices are left out. Ends between two files when the signal is aborted. (`fs.cp` takes eight times as
 * long for a folder with one script, which is what most tasks run.)
 * @throws what the file system throws; the signal's reason.
 */
export async function copyEntries(
  entries: readonly Dirent[],
  source: string,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  for (let at = 0; at < entries.length; at += AT_ONCE) {
    await Promise.all(
      entries.slice(at, at + AT_ONCE).map((entry) => copyEntry(entry, source, target, signal)),
    );
  }
}

async function copyEntry(entry: Dirent, source: string, target: string, signal: AbortSignal): Promise<void> {
  const [from, to] = [join(source, entry.name), join(target, entry.name)];
  signal.throwIfAborted();
  if (entry.isFile()) return copyFile(from, to, constants.COPYFILE_FICLONE);
  if (entry.isSymbolicLink()) return symlink(await readlink(from), to);
  if (!entry.isDirectory()) return;
  await mkdir(to);
  await copyEntries(await readdir(from, { withFileTypes: true }), from, to, signal);
  // Last: it may forbid writing.
  await chmod(to, (await stat(from)).mode & 0o7777);
}
