import { closeSync, constants, openSync } from "node:fs";
import { basename, dirname } from "node:path";

/** Longest path of a socket in bytes: sockaddr_un.sun_path without its closing NUL. */
export const MAX_SOCKET_PATH = process.platform === "darwin" ? 103 : 107;

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
