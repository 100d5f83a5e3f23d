import { closeSync, constants, fstatSync, openSync, readSync, type Stats, writeSync } from "node:fs";

/*
 * Reads and writes files in folders in which a task's program can write.
 *
 * The program may have replaced a file by anything: by a named pipe, at which an open waits for ever and occupies one
 * of the four threads of the pool; by a device that never ends; by a link to another file; by terabytes. An open here
 * never blocks, accepts regular files only and follows no link, and a read is bounded. A write replaces a file by a
 * rename (replace-file.ts) or appends to a regular one.
 *
 * All calls are synchronous, since a local file of some kilobytes takes less time than the round trip to the thread
 * pool. Left to the caller: which files to read, their size limits, and what an unusable file means.
 */

export interface OpenOptions {
  /**
   * `followed`: for files that an operator may have linked (a key in a mounted volume), and for files of a repository
   * whose real path is known to be inside it. Default: `refused`.
   */
  links?: "refused" | "followed";
  /** Largest size in bytes; a larger file is refused. Default: no limit, for callers that read a part of the file. */
  maxBytes?: number;
  /**
   * User as whom the file's task runs. A file that neither belongs to this user nor can be read by everyone is refused,
   * since the program may have put a link to it there, and this server reads as root. Default: every file.
   */
  owner?: { readonly uid: number } | undefined;
}

export interface ReadOptions extends OpenOptions {
  maxBytes: number;
}

/** The path leads to something other than a regular file, or to a file above its size limit. */
export class UnusableFileError extends Error {
  constructor(path: string, what: string, options?: ErrorOptions) {
    super(`Cannot use ${path}: ${what}`, options);
    this.name = "UnusableFileError";
  }
}

/**
 * Returns a descriptor for reading, which the caller closes; undefined if the file does not exist.
 * @throws UnusableFileError; the system's error
 */
export function openRegular(path: string, options: OpenOptions = {}): number | undefined {
  return openWith(constants.O_RDONLY, path, options);
}

/**
 * Returns the content of a file; undefined if it does not exist. Bytes that are appended meanwhile are left out.
 * @throws UnusableFileError; the system's error
 */
export function readRegular(path: string, options: ReadOptions): Buffer | undefined {
  const fd = openRegular(path, options);
  if (fd === undefined) return undefined;
  try {
    const content = Buffer.allocUnsafe(fstatSync(fd).size);
    let length = 0;
    for (let read = -1; read !== 0 && length < content.length; length += read)
      read = readSync(fd, content, length, content.length - length, length);
    return content.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

/**
 * Appends a text by one write; returns false if the file does not exist.
 * @throws UnusableFileError; the system's error
 */
export function appendRegular(path: string, text: string): boolean {
  const fd = openWith(constants.O_WRONLY | constants.O_APPEND, path, {});
  if (fd === undefined) return false;
  try {
    writeSync(fd, text);
    return true;
  } finally {
    closeSync(fd);
  }
}

/**
 * Returns a descriptor for writing, which the caller closes. A file that does not exist is created with mode 0600.
 * @throws UnusableFileError; the system's error
 */
export function openOrCreate(path: string, how: "append" | "overwrite"): number {
  const flags = how === "append" ? constants.O_WRONLY | constants.O_APPEND : constants.O_RDWR;
  const fd = openWith(flags | constants.O_CREAT, path, {});
  if (fd === undefined) throw new UnusableFileError(path, "there is no such folder");
  return fd;
}

function openWith(flags: number, path: string, options: OpenOptions): number | undefined {
  const noLinks = options.links === "followed" ? 0 : constants.O_NOFOLLOW;
  let fd: number;
  try {
    fd = openSync(path, flags | constants.O_NONBLOCK | noLinks, 0o600);
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    const what = REFUSALS[code];
    throw what ? new UnusableFileError(path, what, { cause }) : cause;
  }
  const what = faultOf(fstatSync(fd), options);
  if (what === undefined) return fd;
  closeSync(fd);
  throw new UnusableFileError(path, what);
}

const REFUSALS: Record<string, string> = {
  ELOOP: "it is a symbolic link, not a regular file",
  ENOTDIR: "a part of its path is not a folder",
  EISDIR: "it is a folder, not a regular file",
  ENXIO: "it is a named pipe, a socket or a device, not a regular file",
};

function faultOf(
  found: Stats,
  { maxBytes = Number.POSITIVE_INFINITY, owner }: OpenOptions,
): string | undefined {
  if (found.isDirectory()) return REFUSALS.EISDIR;
  if (!found.isFile()) return REFUSALS.ENXIO;
  if (owner && found.uid !== owner.uid && (found.mode & constants.S_IROTH) === 0)
    return "it belongs to another user than the task's";
  if (found.size > maxBytes) return `it has ${found.size} bytes; at most ${maxBytes} are read`;
  return undefined;
}
