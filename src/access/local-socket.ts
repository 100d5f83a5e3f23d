import { lstatSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { isLoopback } from "./loopback.ts";

/*
 * Where the unix socket of a server is, which both the server and the command line compute: in a folder of the user, under the
 * TCP address on which the server listens. Only the server's user can open it, and needs no token.
 */

type Environment = Readonly<Record<string, string | undefined>>;
/** Addresses on which a server is reached over loopback too. */
const WILDCARDS = ["0.0.0.0", "::"];

/** Path of the socket of a server that listens on this address and port. */
export function localSocketPath(
  { host, port }: { host: string; port: number },
  env: Environment = process.env,
): string {
  return join(folders(env)[0] ?? stateFolder(env), nameOf(host, port));
}

/**
 * Returns the sockets that belong to a server which is called at this host and port, the likeliest first. A server may have
 * been started without XDG_RUNTIME_DIR, or listen on all addresses. Sockets of other users are left out: they could read what
 * is sent.
 */
export function findLocalSockets(host: string, port: number, env: Environment = process.env): string[] {
  const name = host.replace(/^\[|\]$/g, "");
  const exact = name === "localhost" ? ["127.0.0.1", "::1"] : [name];
  const hosts = exact.some(isLoopback) ? [...exact, ...WILDCARDS] : exact;
  return folders(env)
    .filter(isPrivate)
    .flatMap((folder) => hosts.map((one) => join(folder, nameOf(one, port))))
    .filter((path) => lstatSync(path, { throwIfNoEntry: false })?.isSocket());
}

function folders(env: Environment): string[] {
  const runtime = env.XDG_RUNTIME_DIR;
  // Under sudo, XDG_RUNTIME_DIR may name another user's folder.
  if (!runtime?.startsWith("/") || !isOwn(runtime)) return [stateFolder(env)];
  return [join(runtime, "signalman"), stateFolder(env)];
}

const stateFolder = (env: Environment): string => join(env.HOME || homedir(), ".local/state/signalman");

function nameOf(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}.sock`;
}

/** True for a folder of this user. `mask`: mode bits that it must not have. */
export function isOwn(path: string, mask = 0): boolean {
  try {
    const found = lstatSync(path);
    return found.isDirectory() && found.uid === process.geteuid?.() && (found.mode & mask) === 0;
  } catch {
    return false;
  }
}

/** True for a folder of this user into which no other user can put a socket. */
const isPrivate = (path: string): boolean => isOwn(path, 0o022);
