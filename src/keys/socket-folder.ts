import { createHash } from "node:crypto";
import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { makeFolder, type Owner } from "../files/owned.ts";
import { MAX_SOCKET_PATH } from "../files/socket-path.ts";
import { sweepTitled } from "../process/kill-by-command-line.ts";
import { removeTree } from "../process/remove-tree.ts";
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
export async function makeSocketFolder(folder: string, owner?: Owner): Promise<string> {
  makePrivate(folder, owner);
  const path = socketFolder(folder);
  try {
    makeFolder(path, owner);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST" || ownerOf(path) !== (owner?.uid ?? process.geteuid?.()))
      throw new PrepareError(`Cannot make ${path} for the task's sockets: ${message}`, { cause: error });
  }
  return path;
}

/**
 * Removes the socket folder after the task's processes have ended, and ends SSH masters, which are known only by their
 * socket.
 */
export async function dropSocketFolder(folder: string): Promise<void> {
  const path = socketFolder(folder);
  if (ownerOf(path) !== (ownerOf(folder) ?? process.geteuid?.())) return;
  await sweepTitled(`ssh: ${path}/`);
  await removeTree(path);
}

/** Returns the user of a folder that other users cannot enter; undefined: there is none at that path. */
function ownerOf(path: string): number | undefined {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    return found?.isDirectory() && (found.mode & 0o077) === 0 ? found.uid : undefined;
  } catch {
    return undefined;
  }
}
