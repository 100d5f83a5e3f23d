import type { ServerHttp2Stream } from "node:http2";
import { constants } from "node:http2";
import type { Connection } from "./connection.ts";

/** Node's default limits of stream resets: number at once, and number per second afterwards. */
const BURST = 1000;
const PER_SECOND = 33;

/**
 * Closes a session whose peer opens and resets streams faster than Node allows by default (CVE-2023-44487), until a caller has
 * authenticated on it: Node's limits cannot be changed for one session, and the server's are those of authenticated clients.
 */
export function createResetLimit(refused: (why: string, peer: string) => void) {
  const budgets = new WeakMap<Connection, { left: number; at: number }>();
  return (stream: ServerHttp2Stream, connection: Connection): void => {
    const { session } = stream; // undefined once the stream is closed
    if (connection.isTrusted || session === undefined) return;
    stream.once("close", () => {
      if (connection.isTrusted || stream.rstCode === constants.NGHTTP2_NO_ERROR) return;
      const now = performance.now();
      const { left, at } = budgets.get(connection) ?? { left: BURST, at: now };
      const budget = Math.min(BURST, left + ((now - at) / 1000) * PER_SECOND) - 1;
      budgets.set(connection, { left: budget, at: now });
      if (budget >= 0 || session.destroyed) return;
      refused("too many resets of streams without authentication", connection.name);
      session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      session.destroy();
    });
  };
}
