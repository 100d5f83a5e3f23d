import { createHash } from "node:crypto";
import { chmod, lstat, mkdir, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MAX_SOCKET_PATH } from "../files/socket-path.ts";
import { EmbeddedPostgresError } from "./errors.ts";

const SOCKET_NAME = ".s.PGSQL.5432";

/**
 * Creates the folder of mode 0700 for the socket: `<home>/run`. If that path is too long for a socket, it is a folder
 * in the runtime or temporary folder whose name is derived from `home`. To be called while no PostgreSQL of `home`
 * runs.
 */
export async function makeSocketFolder(home: string): Promise<string> {
  const folder = fits(join(home, "run")) ? join(home, "run") : shortFolder(home);
  await mkdir(folder, { mode: 0o700 }).catch(async (cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EEXIST" || !(await isOwn(folder))) throw notOwn(folder, cause);
  });
  await chmod(folder, 0o700);
  // No other user can enter the folder; PostgreSQL would trust an old lock file whose pid another program has now.
  await rm(join(folder, `${SOCKET_NAME}.lock`), { force: true });
  return folder;
}

/** Removes a folder outside of `home` once PostgreSQL has ended; one that is not empty stays. */
export async function dropSocketFolder(folder: string, home: string): Promise<void> {
  if (folder !== join(home, "run")) await rmdir(folder).catch(() => {});
}

function shortFolder(home: string): string {
  const name = `signalman-${createHash("sha256").update(home).digest("hex").slice(0, 16)}`;
  const bases = [process.env.XDG_RUNTIME_DIR, tmpdir(), "/tmp"];
  const base = bases.find((path) => path?.startsWith("/") && fits(join(path, name))) ?? "/tmp";
  return join(base, name);
}

function fits(folder: string): boolean {
  return Buffer.byteLength(join(folder, SOCKET_NAME)) <= MAX_SOCKET_PATH;
}

/**
 * Returns whether it is a folder of this user. In a folder like /tmp another user may have created it first, or put a
 * link there.
 */
async function isOwn(folder: string): Promise<boolean> {
  const found = await lstat(folder);
  return found.isDirectory() && found.uid === process.geteuid?.();
}

function notOwn(folder: string, cause: Error): Error {
  return new EmbeddedPostgresError(
    `Cannot put PostgreSQL's socket into ${folder}: ${cause.message}. It must be a folder of this user; remove what is there.`,
    { cause },
  );
}
