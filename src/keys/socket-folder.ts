import { createHash } from "node:crypto";
import { existsSync, lstatSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { sweepTitled } from "../process/kill-by-command-line.ts";
import { PrepareError } from "../task/errors.ts";
import { makePrivate } from "./key-folder.ts";

/** sockaddr_un.sun_path, less the closing NUL. */
const MAX_SOCKET_PATH = process.platform === "darwin" ? 103 : 107;
/** For the names in it: ssh puts 17 characters behind that of a master's socket until it listens. */
const NAME_LENGTH = 32;

/**
 * Where the sockets of a task go: a folder in its private one, or, where that is too long for a socket's address, one
 * under /tmp whose name follows from it.
 */
export function socketFolder(folder: string): string {
  const inside = join(folder, "s");
  if (Buffer.byteLength(inside) + 1 + NAME_LENGTH <= MAX_SOCKET_PATH) return inside;
  return `/tmp/signalman-${createHash("sha256").update(folder).digest("hex").slice(0, 16)}`;
}

export const hasSockets = (folder: string) => existsSync(socketFolder(folder));

/** Makes it, 0700, and the private folder; they may be there already. @throws PrepareError if what is there belongs to somebody else. */
export async function makeSocketFolder(folder: string): Promise<string> {
  makePrivate(folder);
  const path = socketFolder(folder);
  await mkdir(path, { mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "EEXIST" && isOurs(path)) return;
    throw new PrepareError(`Cannot make ${path} for the task's sockets: ${cause.message}`, { cause });
  });
  return path;
}

/** Once the processes of the task are gone. The masters of its shared SSH connections, which nobody knows by more than their socket, go with it. */
export async function dropSocketFolder(folder: string): Promise<void> {
  const path = socketFolder(folder);
  if (!isOurs(path)) return;
  await sweepTitled(`ssh: ${path}/`);
  await rm(path, { recursive: true, force: true });
}

function isOurs(path: string): boolean {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    return found?.isDirectory() === true && found.uid === process.geteuid?.() && (found.mode & 0o077) === 0;
  } catch {
    return false;
  }
}
