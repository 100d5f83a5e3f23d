import { constants, type Http2Server, type Http2Session, type ServerHttp2Session } from "node:http2";
import { startFirstBytesTimeout } from "../async/first-bytes-timeout.ts";

const SESSION_WINDOW = 4 * 1024 * 1024;

export interface Sessions {
  /** GOAWAY for all: streams that run may end, new ones go elsewhere. A session ends with its last stream. */
  drain(): void;
  /** Ends all with an error, in the next round: with drain() alone a client may take the end of its connection for the end of its calls. */
  cutOff(): void;
}

/**
 * Keeps account of a server's HTTP/2 sessions. Node's server forgets them on close(), and they go on taking new streams.
 * A peer that sends the preface and no SETTINGS is cut off after `patienceMs`.
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
