import { constants, type Dirent, type Stats } from "node:fs";
import { chmod, copyFile, lstat, lutimes, mkdir, readdir, readlink, symlink, utimes } from "node:fs/promises";
import { join } from "node:path";

/** Number of entries of one folder that are copied in parallel. */
const AT_ONCE = 16;

/** An entry of a folder. Its name is bytes, since file names need not be UTF-8. */
export type Entry = Dirent<Buffer>;

export function readEntries(folder: Buffer | string): Promise<Entry[]> {
  return readdir(folder, { withFileTypes: true, encoding: "buffer" });
}

/**
 * Copies entries of the folder `source` into the existing folder `target`: files, folders and links with their modes and
 * times; sockets, pipes and devices are left out. An aborted signal ends it between two files. (`fs.cp` takes eight times as
 * long for a folder with one script, which is what most tasks run.)
 * @throws errors of the file system; the signal's reason.
 */
export async function copyEntries(
  entries: readonly Entry[],
  source: Buffer | string,
  target: Buffer | string,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  for (let at = 0; at < entries.length; at += AT_ONCE) {
    await Promise.all(
      entries.slice(at, at + AT_ONCE).map((entry) => copyEntry(entry, source, target, signal)),
    );
  }
}

async function copyEntry(
  entry: Entry,
  source: Buffer | string,
  target: Buffer | string,
  signal: AbortSignal,
): Promise<void> {
  const [from, to] = [inside(source, entry.name), inside(target, entry.name)];
  signal.throwIfAborted();
  if (entry.isFile()) {
    const [stats] = await Promise.all([lstat(from), copyFile(from, to, constants.COPYFILE_FICLONE)]);
    return utimes(to, ...timesOf(stats));
  }
  if (entry.isSymbolicLink()) {
    await symlink(await readlink(from, { encoding: "buffer" }), to);
    return lutimes(to, ...timesOf(await lstat(from)));
  }
  if (!entry.isDirectory()) return;
  await mkdir(to);
  await copyEntries(await readEntries(from), from, to, signal);
  // Times and mode are set last: writing changes the times, and the mode may forbid writing.
  const stats = await lstat(from);
  await utimes(to, ...timesOf(stats));
  await chmod(to, stats.mode & 0o7777);
}

/** Returns access and modification time in seconds with their fractions, which a Date would cut to milliseconds. */
const timesOf = ({ atimeMs, mtimeMs }: Stats): [number, number] => [atimeMs / 1000, mtimeMs / 1000];

/** Returns the path of an entry, as a string if its name is UTF-8, so that error messages show it. */
function inside(folder: Buffer | string, name: Buffer): Buffer | string {
  const text = name.toString();
  if (typeof folder === "string" && Buffer.from(text).equals(name)) return join(folder, text);
  return Buffer.concat([Buffer.from(folder), Buffer.from("/"), name]);
}
