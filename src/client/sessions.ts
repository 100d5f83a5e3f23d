import type { ClientHttp2Session } from "node:http2";
import net, { type Socket } from "node:net";
import { Http2SessionManager } from "@connectrpc/connect-node";

/**
 * Flow-control window of each stream and of the connection. With HTTP/2's default of 64 KiB, every message of a long log would
 * wait for the acknowledgement of the one before.
 */
const WINDOW_BYTES = 1024 * 1024;
/**
 * Silence after which a PING checks the connection, so that a half-open one is given up. Longer than the default heartbeat
 * interval of a watch (15 s), so that a watch with heartbeats sends no PINGs.
 */
const PING_INTERVAL_MS = 20_000;
const PING_TIMEOUT_MS = 5000;

export interface SessionOptions {
  /** Certificates (PEM) of the authorities that may vouch for the server. Default: those that Node knows. */
  ca?: string | Buffer;
  /** Opens a connection in place of TCP; undefined: TCP. Servers with TLS are called over TCP. */
  dial?: () => Socket | undefined;
}

/** One connection at a time, opened when it is needed, with flow-control windows for long logs. */
export class Sessions extends Http2SessionManager {
  readonly #widened = new WeakSet<ClientHttp2Session>();

  constructor(url: string, { ca, dial }: SessionOptions = {}) {
    super(
      url,
      { pingIntervalMs: PING_INTERVAL_MS, pingTimeoutMs: PING_TIMEOUT_MS },
      {
        settings: { initialWindowSize: WINDOW_BYTES },
        ...(ca !== undefined && { ca }),
        ...(dial &&
          url.startsWith("http:") && { createConnection: (authority: URL) => dial() ?? overTcp(authority) }),
      },
    );
  }

  // The base class offers no event for a new connection, so its first stream widens the window.
  override async request(...call: Parameters<Http2SessionManager["request"]>) {
    const stream = await super.request(...call);
    const session = stream.session as ClientHttp2Session | undefined;
    if (session && !this.#widened.has(session)) {
      this.#widened.add(session);
      session.setLocalWindowSize(WINDOW_BYTES);
    }
    return stream;
  }
}

function overTcp({ hostname, port }: URL): Socket {
  const host = hostname.replace(/^\[|\]$/g, "");
  return net.connect({ host, port: Number(port || 80) });
}
