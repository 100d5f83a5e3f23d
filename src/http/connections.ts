import type { Socket } from "node:net";
import type { Peer } from "../access/authenticator.ts";
import { Connection } from "./connection.ts";
import { Crowd } from "./crowd.ts";
import { openFilesLimit } from "./open-files.ts";
import { subnetOf } from "./subnet.ts";

/**
 * Limits of connections over the network. Connections over the unix socket come from the server's own user and are not
 * limited.
 */
export interface ConnectionLimits {
  /** Open connections in all. */
  all: number;
  /** Untrusted connections in all. */
  untrusted: number;
  /** Untrusted connections from one IPv4 address or one /64 of IPv6. */
  untrustedPerSubnet: number;
  /** Milliseconds that a connection may stay open without an authenticated caller. */
  untrustedMs: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  all: Math.min(10_000, openFilesLimit() / 2),
  untrusted: 1000,
  untrustedPerSubnet: 200,
  untrustedMs: 120_000,
};

/** Owner of connections over the unix socket, whatever their calls authenticate as. */
const UNIX_SOCKET = "the unix socket";

export interface Connections {
  /** Registers a new connection; undefined if there are too many: its socket is then destroyed. */
  admit(socket: Socket, peer: Peer): Connection | undefined;
  destroyAll(): void;
}

/**
 * Tracks all open connections. If there are too many, the oldest untrusted one is closed in favour of the new one, so that
 * a flood of connections closes its own connections rather than those of other callers.
 */
export function trackConnections(
  limits: ConnectionLimits,
  refused: (why: string, peer: string) => void,
): Connections {
  const open = new Set<Socket>();
  const network = new Set<Connection>();
  const untrusted = new Crowd<Connection>({ all: limits.untrusted, perSubnet: limits.untrustedPerSubnet });

  function limit(connection: Connection, subnet: string): boolean {
    const isFull = network.size >= limits.all;
    const oldest = untrusted.displacedBy(subnet) ?? (isFull ? untrusted.oldest : undefined);
    if (oldest || isFull) refused("too many connections", connection.name);
    if (isFull && !oldest) return false;
    if (oldest) {
      untrusted.delete(oldest);
      oldest.socket.destroy();
    }
    network.add(connection);
    untrusted.add(connection, subnet);
    const expiry = setTimeout(() => {
      refused("no authentication within the time limit of a connection", connection.name);
      connection.expire();
    }, limits.untrustedMs).unref();
    connection.whenTrusted(() => {
      clearTimeout(expiry);
      untrusted.delete(connection);
    });
    connection.socket.once("close", () => {
      clearTimeout(expiry);
      network.delete(connection);
      untrusted.delete(connection);
    });
    return true;
  }

  return {
    admit(socket, peer) {
      const connection = new Connection(socket, peer);
      if (peer.kind === "socket") connection.trust(UNIX_SOCKET);
      else if (!limit(connection, subnetOf(peer.address))) {
        socket.destroy();
        return undefined;
      }
      open.add(socket);
      socket.once("close", () => open.delete(socket));
      return connection;
    },
    destroyAll() {
      for (const socket of open) socket.destroy();
    },
  };
}
