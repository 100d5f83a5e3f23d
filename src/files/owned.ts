import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  mkdirSync,
  openSync,
  readlinkSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { UnusableFileError } from "./regular-file.ts";

/*
 * Makes and removes files in folders of another user, for a server that runs as root and whose tasks run as that user.
 *
 * The user may replace a folder on a path by a link at any time, and root would then write or remove a file elsewhere. So the
 * parent folder is opened first, it must be the one at its path (no link on the way), and the call goes through its
 * descriptor. Paths are therefore given without links. Calls are synchronous, as in regular-file.ts.
 */

/** Ids of the user who gets a new file or folder. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** An open folder, until it is disposed. */
export interface OpenFolder extends Disposable {
  /** Path that leads to the folder itself, whatever is at its place by now. */
  readonly path: string;
}

const DESCRIPTORS = `/proc/${process.pid}/fd`;
const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Opens a folder.
 * @throws UnusableFileError if a part of its path is a link; the system's error
 */
export function openFolder(path: string): OpenFolder {
  const folder = openEntry(path);
  if (readlinkSync(folder.path) === path) return folder;
  folder[Symbol.dispose]();
  throw new UnusableFileError(path, "a part of its path is a symbolic link");
}

/** Opens a folder in a folder that is open already. @throws the system's error, also if it is a link */
export function openEntry(path: string): OpenFolder {
  const fd = openSync(path, FOLDER);
  return { path: join(DESCRIPTORS, String(fd)), [Symbol.dispose]: () => closeSync(fd) };
}

/**
 * Makes a folder with mode 0700 and gives it to `owner`; undefined: the server's user keeps it.
 * @throws the system's error, also if it exists; UnusableFileError
 */
export function makeFolder(path: string, owner?: Owner): void {
  if (!owner) return void mkdirSync(path, { mode: 0o700 });
  using parent = openFolder(dirname(path));
  const place = join(parent.path, basename(path));
  mkdirSync(place, { mode: 0o700 });
  give(openSync(place, FOLDER), owner, 0o700);
}

/**
 * Writes a new file and gives it to `owner`; undefined: the server's user keeps it.
 * @throws the system's error, also if it exists; UnusableFileError
 */
export function writeNew(path: string, content: string | Uint8Array, owner?: Owner, mode = 0o600): void {
  if (!owner) return void writeFileSync(path, content, { mode, flag: "wx" });
  using parent = openFolder(dirname(path));
  const fd = openSync(join(parent.path, basename(path)), "wx", 0o600);
  give(fd, owner, mode, () => writeFileSync(fd, content));
}

/** Lets other users enter a folder of this server, but not list it (mode o+x). */
export function letPass(folder: string): void {
  const mode = statSync(folder).mode & 0o7777;
  if ((mode & PASS) !== PASS) chmodSync(folder, mode | PASS);
}

const PASS = constants.S_IXGRP | constants.S_IXOTH;

/** Removes a file; one that does not exist is no error. @throws the system's error; UnusableFileError */
export function removeFile(path: string): void {
  try {
    if (process.geteuid?.() !== 0) return void unlinkSync(path);
    using parent = openFolder(dirname(path));
    unlinkSync(join(parent.path, basename(path)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Gives a new file or folder to its owner and closes its descriptor. */
function give(fd: number, { uid, gid }: Owner, mode: number, fill = () => {}): void {
  try {
    fill();
    fchownSync(fd, uid, gid);
    fchmodSync(fd, mode);
  } finally {
    closeSync(fd);
  }
}
