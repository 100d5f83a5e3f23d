import { constants, type Http2Server, type Http2Session, type ServerHttp2Session } from "node:http2";
import { startFirstBytesTimeout } from "../async/first-bytes-timeout.ts";

const SESSION_WINDOW = 4 * 1024 * 1024;

export interface Sessions {
  /** Sends GOAWAY on all sessions: running streams may end, new ones are refused. A session ends with its last stream. */
  drain(): void;
  /** Closes all sessions with an error. With drain() alone a client may take a closed connection for the end of its calls. */
  cutOff(): void;
}

/**
 * Tracks the HTTP/2 sessions of a server, since close() of Node's server leaves them open for new streams. A session whose peer
 * sends the preface but no SETTINGS is closed after `patienceMs` milliseconds.
 */
export function trackSessions(server: Http2Server, patienceMs: number): Sessions {
  const open = new Set<ServerHttp2Session>();
  let draining = false;
  server.on("session", (session) => {
    open.add(session);
    session.once("close", () => open.delete(session));
    session.setLocalWindowSize(SESSION_WINDOW);
    expectSettings(session, patienceMs);
    if (draining) session.close();
  });
  return {
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
