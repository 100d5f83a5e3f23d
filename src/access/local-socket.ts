import { closeSync, constants, lstatSync, openSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { isLoopback } from "./loopback.ts";

/*
 * Where the unix socket of a server is, which both the server and the command line compute: in a folder of the user, under the
 * TCP address on which the server listens. Whoever may open it is the server's user, who needs no token.
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
  // With sudo the variable may name another user's folder.
  if (!runtime?.startsWith("/") || !isOwn(runtime)) return [stateFolder(env)];
  return [join(runtime, "signalman"), stateFolder(env)];
}

const stateFolder = (env: Environment): string => join(env.HOME || homedir(), ".local/state/signalman");

function nameOf(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}.sock`;
}

/** True for a folder of this user. */
export function isOwn(path: string): boolean {
  const found = statOf(path);
  return found?.isDirectory() === true && found.uid === process.geteuid?.();
}

/** True for a folder of this user into which no other user can put a socket. */
function isPrivate(path: string): boolean {
  return isOwn(path) && ((statOf(path)?.mode ?? 0) & 0o022) === 0;
}

function statOf(path: string) {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

/** Longest path of a socket in bytes: sockaddr_un.sun_path without its closing NUL. */
const MAX_SOCKET_PATH = process.platform === "darwin" ? 103 : 107;

/**
 * Returns a path for bind(2) or connect(2) of a socket, which is valid until it is disposed. For a path that is too long it
 * goes through a descriptor of the folder, which Linux shows in /proc.
 */
export function shortSocketPath(path: string): Disposable & { readonly path: string } {
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH) return { path, [Symbol.dispose]() {} };
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  return {
    path: `/proc/self/fd/${folder}/${basename(path)}`,
    [Symbol.dispose]: () => closeSync(folder),
  };
}
