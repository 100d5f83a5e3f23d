import { createHash } from "node:crypto";
import { existsSync, lstatSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { MAX_SOCKET_PATH } from "../files/socket-path.ts";
import { sweepTitled } from "../process/kill-by-command-line.ts";
import { PrepareError } from "../task/errors.ts";
import { makePrivate } from "./key-folder.ts";

/** Longest socket name: ssh appends 17 characters to a master's socket until it listens. */
const NAME_LENGTH = 32;

/**
 * Returns the folder of a task's sockets: in its private folder, or, where that path is too long for a socket's
 * address, under /tmp, by a hash of the path.
 */
export function socketFolder(folder: string): string {
  const inside = join(folder, "s");
  if (Buffer.byteLength(inside) + 1 + NAME_LENGTH <= MAX_SOCKET_PATH) return inside;
  return `/tmp/signalman-${createHash("sha256").update(folder).digest("hex").slice(0, 16)}`;
}

export const hasSockets = (folder: string) => existsSync(socketFolder(folder));

/**
 * Creates the socket folder and the private folder (0700), if missing.
 * @throws PrepareError if another user owns what is there.
 */
export async function makeSocketFolder(folder: string): Promise<string> {
  makePrivate(folder);
  const path = socketFolder(folder);
  await mkdir(path, { mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "EEXIST" && isPrivate(path)) return;
    throw new PrepareError(`Cannot make ${path} for the task's sockets: ${cause.message}`, { cause });
  });
  return path;
}

/**
 * Removes the socket folder after the task's processes have ended, and ends SSH masters, which are known only by their
 * socket.
 */
export async function dropSocketFolder(folder: string): Promise<void> {
  const path = socketFolder(folder);
  if (!isPrivate(path)) return;
  await sweepTitled(`ssh: ${path}/`);
  await rm(path, { recursive: true, force: true });
}

/** Tells whether a path is a folder of this user that other users cannot enter. */
function isPrivate(path: string): boolean {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    return found?.isDirectory() === true && found.uid === process.geteuid?.() && (found.mode & 0o077) === 0;
  } catch {
    return false;
  }
}
