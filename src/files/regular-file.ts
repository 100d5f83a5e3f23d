import { closeSync, constants, fstatSync, openSync, readSync, type Stats, writeSync } from "node:fs";

/*
 * Opens files where a task's program can write. The program may have put anything in their place: a named pipe, at which
 * an open waits for ever and takes one of the four threads of the pool with it; a device that never ends; a link to
 * another file; terabytes. An open here never blocks, takes regular files only and follows no link; a read is bounded.
 *
 * Synchronous: local files of some kilobytes take less time than the way to the thread pool.
 */

export interface OpenOptions {
  /**
   * `followed`: for files that an operator may have linked (a key in a mounted volume), and for files of a repository
   * whose real path is known to lie inside it. Default: `refused`.
   */
  links?: "refused" | "followed";
  /** A larger file is refused. Default: no limit, for callers that read a part of it. */
  maxBytes?: number;
}

export interface ReadOptions extends OpenOptions {
  maxBytes: number;
}

/** What lies at a path is no regular file, or larger than any file of its kind. */
export class UnusableFileError extends Error {
  constructor(path: string, what: string, options?: ErrorOptions) {
    super(`Cannot use ${path}: ${what}`, options);
    this.name = "UnusableFileError";
  }
}

/**
 * Returns a descriptor for reading, which the caller closes; `undefined`: there is no such file.
 * @throws UnusableFileError; the system's error
 */
export function openRegular(path: string, options: OpenOptions = {}): number | undefined {
  return openWith(constants.O_RDONLY, path, options);
}

/**
 * Returns the content; `undefined`: there is no such file. What is appended meanwhile is not part of it.
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
 * Appends a text by one write; false: there is no such file.
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
 * Returns a descriptor for writing, which the caller closes; a file that does not exist is made, 0600.
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
  const what = faultOf(fstatSync(fd), options.maxBytes);
  if (what === undefined) return fd;
  closeSync(fd);
  throw new UnusableFileError(path, what);
}

const REFUSALS: Record<string, string> = {
  ELOOP: "it is a symbolic link, not a regular file",
  ENOTDIR: "what should be its folder is none",
  EISDIR: "it is a folder, not a regular file",
  ENXIO: "it is a named pipe, a socket or a device, not a regular file",
};

function faultOf(found: Stats, maxBytes = Number.POSITIVE_INFINITY): string | undefined {
  if (found.isDirectory()) return REFUSALS.EISDIR;
  if (!found.isFile()) return REFUSALS.ENXIO;
  if (found.size > maxBytes) return `it has ${found.size} bytes; at most ${maxBytes} are read`;
  return undefined;
}
