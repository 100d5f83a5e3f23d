import type { ClientHttp2Session } from "node:http2";
import { Http2SessionManager } from "@connectrpc/connect-node";

/**
 * Bytes that the server may send, for each call and for all of a connection, before it hears from here again. Of HTTP/2's
 * own 64 KiB every message of a long log would wait for word that the one before was read.
 */
const WINDOW_BYTES = 1024 * 1024;
/**
 * A connection that was silent for this long is tried by a PING before it is used again or waited for any longer, so that
 * a half-open one is given up. Longer than the usual heartbeat of a watch: then there are no PINGs beside them.
 */
const PING_INTERVAL_MS = 20_000;
const PING_TIMEOUT_MS = 5000;

/** One connection at a time, opened when it is needed, with windows for long logs. */
export class Sessions extends Http2SessionManager {
  readonly #widened = new WeakSet<ClientHttp2Session>();

  constructor(url: string) {
    super(
      url,
      { pingIntervalMs: PING_INTERVAL_MS, pingTimeoutMs: PING_TIMEOUT_MS },
      { settings: { initialWindowSize: WINDOW_BYTES } },
    );
  }

  // The first call of a connection is the first to see it.
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
