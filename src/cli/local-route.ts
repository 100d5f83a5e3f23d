import { lstatSync } from "node:fs";
import net, { type Socket } from "node:net";
import { findLocalSockets } from "../access/local-socket.ts";
import { serverUrl, socketPathOf } from "../client/server-url.ts";
import { shortSocketPath } from "../files/socket-path.ts";

/** How the command line reaches a server on this machine: by the unix socket that the server of this user has opened. */
export interface LocalRoute {
  /** Opens a connection over the socket. Returns undefined if there is no socket: the client then connects over TCP. */
  dial(): Socket | undefined;
  /** True if the last connection went over TCP, and there is a socket now: the server has opened it meanwhile. */
  hasOpened(): boolean;
}

/**
 * Returns the route to a server. A socket that a crashed server left is tried once and then passed over, since another server
 * may be reached at its address now. Once a connection over a socket was open, no other way is taken: a program that takes the
 * port while the server is down gets no call of this client.
 */
export function localRoute(server: string, env = process.env): LocalRoute {
  const url = new URL(serverUrl(server));
  const dead = new Map<string, string>();
  let last: { path: string | undefined; wasOpen: boolean } = { path: undefined, wasOpen: false };

  const find = (): string | undefined =>
    url.protocol === "http:" && socketPathOf(server) === undefined
      ? findLocalSockets(url.hostname, Number(url.port || 80), env).find(
          (path) => identityOf(path) !== dead.get(path),
        )
      : undefined;

  return {
    dial() {
      const path = find() ?? (last.wasOpen ? last.path : undefined);
      if (path === undefined) {
        last = { path, wasOpen: false };
        return undefined;
      }
      const route = { path, wasOpen: last.wasOpen };
      last = route;
      const found = identityOf(path);
      const socket = connectTo(path);
      socket.once("connect", () => {
        route.wasOpen = true;
      });
      socket.once("error", () => {
        if (found !== undefined && !route.wasOpen) dead.set(path, found);
      });
      return socket;
    },
    hasOpened: () => last.path === undefined && find() !== undefined,
  };
}

function connectTo(path: string): Socket {
  using short = shortSocketPath(path); // connect(2) has read the path when net.connect returns
  return net.connect(short.path);
}

/** Tells a socket from a later one at the same path. */
function identityOf(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found && `${found.ino} ${found.ctimeMs}`;
}
