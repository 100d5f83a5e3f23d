import type { Socket } from "node:net";
import type { Peer } from "../access/authenticator.ts";
import { Connection } from "./connection.ts";
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
  const untrusted = new Set<Connection>(); // oldest first
  const bySubnet = new Map<string, Set<Connection>>(); // untrusted connections by subnet, oldest first

  function forget(connection: Connection, subnet: string): void {
    untrusted.delete(connection);
    const same = bySubnet.get(subnet);
    same?.delete(connection);
    if (same?.size === 0) bySubnet.delete(subnet);
  }

  /** Returns the connections of which one must be closed before another is opened. */
  function crowd(subnet: string): Set<Connection> | undefined {
    const same = bySubnet.get(subnet);
    if (same && same.size >= limits.untrustedPerSubnet) return same;
    return untrusted.size >= limits.untrusted || network.size >= limits.all ? untrusted : undefined;
  }

  function limit(connection: Connection, subnet: string): boolean {
    const crowded = crowd(subnet);
    if (crowded) {
      refused("too many connections", connection.name);
      const [oldest] = crowded;
      oldest?.socket.destroy();
      if (oldest?.peer.kind !== "network") return false;
      forget(oldest, subnetOf(oldest.peer.address));
    }
    network.add(connection);
    untrusted.add(connection);
    bySubnet.set(subnet, (bySubnet.get(subnet) ?? new Set()).add(connection));
    const expiry = setTimeout(() => {
      refused("no authentication within the time limit of a connection", connection.name);
      connection.expire();
    }, limits.untrustedMs).unref();
    connection.whenTrusted(() => {
      clearTimeout(expiry);
      forget(connection, subnet);
    });
    connection.socket.once("close", () => {
      clearTimeout(expiry);
      network.delete(connection);
      forget(connection, subnet);
    });
    return true;
  }

  return {
    admit(socket, peer) {
      const connection = new Connection(socket, peer);
      if (peer.kind === "socket") connection.trust();
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
