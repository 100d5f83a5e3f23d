import { constants, type Http2Server, type Http2Session, type ServerHttp2Session } from "node:http2";
import { startFirstBytesTimeout } from "../async/first-bytes-timeout.ts";
import type { Connection } from "./connection.ts";

/** Bytes of bodies that a session may send before they are read, once a caller has authenticated on it; until then 64 KiB. */
const SESSION_WINDOW = 4 * 1024 * 1024;
/** Concurrent streams of a session before and after a caller has authenticated on it. */
export const UNTRUSTED_STREAMS = 100;
const TRUSTED_STREAMS = 10_000;
/** Grace period, in milliseconds, of the streams of a session that is closed because no caller has authenticated on it. */
const EXPIRY_GRACE_MS = 10_000;

export interface Sessions {
  /** Serves a connection by HTTP/2. */
  serve(connection: Connection, socket: Connection["socket"]): void;
  /** Returns the connection of a session. */
  connectionOf(session: Http2Session | undefined): Connection | undefined;
  /** Sends GOAWAY on all sessions: running streams may end, new ones are refused. A session ends with its last stream. */
  drain(): void;
  /** Closes all sessions with an error. With drain() alone a client may take a closed connection for the end of its calls. */
  cutOff(): void;
}

/**
 * Tracks the HTTP/2 sessions of a server, since close() of Node's server leaves them open for new streams. A session whose peer
 * sends the preface but no SETTINGS is closed after `patienceMs` milliseconds.
 *
 * The server's settings allow few streams; a session gets the full number when a caller has authenticated on it.
 */
export function trackSessions(server: Http2Server, patienceMs: number): Sessions {
  const open = new Set<ServerHttp2Session>();
  const connections = new WeakMap<Http2Session, Connection>();
  let draining = false;
  return {
    serve(connection, socket) {
      const begin = (session: ServerHttp2Session): void => {
        open.add(session);
        connections.set(session, connection);
        session.once("close", () => open.delete(session));
        expectSettings(session, patienceMs);
        connection.whenTrusted(() => {
          if (session.destroyed) return;
          session.settings({ maxConcurrentStreams: TRUSTED_STREAMS });
          session.setLocalWindowSize(SESSION_WINDOW);
        });
        connection.expire = () => expire(session);
        if (draining) session.close();
      };
      // Node's server creates the session while it handles the event, and not at all if it refuses the socket.
      server.once("session", begin);
      server.emit("connection", socket);
      server.off("session", begin);
    },
    connectionOf: (session) => session && connections.get(session),
    drain() {
      draining = true;
      for (const session of open) session.close();
    },
    cutOff() {
      for (const session of open) session.destroy(undefined, constants.NGHTTP2_CANCEL);
    },
  };
}

function expectSettings(session: Http2Session, patienceMs: number): void {
  const stop = startFirstBytesTimeout(patienceMs, () => session.destroy());
  session.once("remoteSettings", stop).once("close", stop);
}

/** Refuses new streams at once, and closes the session when its streams have ended or the grace period is over. */
function expire(session: ServerHttp2Session): void {
  session.close();
  const timer = setTimeout(
    () => session.destroy(undefined, constants.NGHTTP2_CANCEL),
    EXPIRY_GRACE_MS,
  ).unref();
  session.once("close", () => clearTimeout(timer));
}
