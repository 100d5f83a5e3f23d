import { createHash } from "node:crypto";
import { chmod, lstat, mkdir, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EmbeddedPostgresError } from "./errors.ts";

/** sockaddr_un.sun_path, less the closing NUL */
const MAX_SOCKET_PATH = process.platform === "darwin" ? 103 : 107;
const SOCKET_NAME = ".s.PGSQL.5432";

/**
 * Makes the 0700 folder for the socket: `<home>/run`, or, where that is too long for a socket address, a folder
 * under the runtime or temporary folder whose name follows from `home`. Call it when no server of `home` runs.
 */
export async function makeSocketFolder(home: string): Promise<string> {
  const folder = fits(join(home, "run")) ? join(home, "run") : shortFolder(home);
  await mkdir(folder, { mode: 0o700 }).catch(async (cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EEXIST" || !(await isOurs(folder))) throw notOurs(folder, cause);
  });
  await chmod(folder, 0o700);
  // The folder is ours alone; PostgreSQL would believe an old lock whose number is another program's by now.
  await rm(join(folder, `${SOCKET_NAME}.lock`), { force: true });
  return folder;
}

/** Removes a folder that was made outside of `home`, once the server is gone; one in use stays. */
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

/** In a folder like /tmp somebody else may have made it first, or put a link there. */
async function isOurs(folder: string): Promise<boolean> {
  const found = await lstat(folder);
  return found.isDirectory() && found.uid === process.geteuid?.();
}

function notOurs(folder: string, cause: Error): Error {
  return new EmbeddedPostgresError(
    `Cannot put PostgreSQL's socket into ${folder}: ${cause.message}. It must be a folder of this user; remove what is there.`,
    { cause },
  );
}
