import { once } from "node:events";
import { lstatSync, rmSync } from "node:fs";
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import net, { type Socket } from "node:net";
import { dirname } from "node:path";
import { isOwn } from "../access/local-socket.ts";
import { shortSocketPath } from "../files/socket-path.ts";

export interface SocketListener {
  readonly path: string;
  /** Accepts no more connections and removes the path, unless another socket has taken it. Resolves when all are closed. */
  close(): Promise<void>;
}

/**
 * Listens on a unix socket that only this user can open: mode 0600, in a folder of mode 0700. The caller must hold what the
 * path is named after, so that no other server of this machine uses the path.
 *
 * The socket is bound beside its path and renamed, which replaces the socket that a crashed server left: a program that
 * connects meanwhile finds the old socket or the new one.
 * @throws Error if the folder is not this user's, or if a server listens on the path, as from a container that shares it
 */
export async function listenOnSocket(
  path: string,
  accept: (socket: Socket) => void,
): Promise<SocketListener> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (!isOwn(folder)) throw new Error(`Cannot put a socket into ${folder}: it must be a folder of this user`);
  await chmod(folder, 0o700);
  if (await isListening(path))
    throw new Error(
      `Cannot listen on ${path}: another server listens there; stop it, or choose another port`,
    );
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  const server = net.createServer({ allowHalfOpen: true }, accept);
  {
    using short = shortSocketPath(draft);
    server.listen(short.path);
    await once(server, "listening");
  }
  server.on("error", () => {}); // a connection could not be accepted; its client tries again
  await chmod(draft, 0o600);
  await rename(draft, path);
  const { ino } = lstatSync(path);
  return {
    path,
    async close() {
      if (lstatSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true });
      const over = once(server, "close");
      server.close();
      await over;
    },
  };
}

/** True if a server accepts connections on the path; false if nothing is there, or what a crashed server left. */
async function isListening(path: string): Promise<boolean> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return false;
  using short = shortSocketPath(path);
  const probe = net.connect(short.path);
  try {
    await once(probe, "connect");
    return true;
  } catch {
    return false;
  } finally {
    probe.destroy();
  }
}
