import { Code, ConnectError } from "@connectrpc/connect";
import { startFirstBytesTimeout } from "../async/first-bytes-timeout.ts";
import { clientLeft } from "../rpc/errors/errors.ts";
import type { CallShare } from "./call-limits.ts";
import type { HttpRequest } from "./exchange.ts";

/** Limits of the bodies of requests. Streams that the server sends are not concerned. */
export interface BodyLimits {
  /** Milliseconds between two pieces of a body. */
  idleMs: number;
  /** Milliseconds for a whole body. */
  totalMs: number;
}

export const BODY_LIMITS: BodyLimits = { idleMs: 10_000, totalMs: 60_000 };

/** Size in bytes above which a body is large. */
const LARGE_BYTES = 64 * 1024;

export type ReadBody = (request: HttpRequest, share: CallShare) => AsyncGenerator<Uint8Array>;

/**
 * Returns a function that yields the body of a request. If the reader stops early, because the call is refused, the rest of the
 * body is discarded, so that the connection stays usable. (Node's default iterator would destroy the request: an HTTP/1.1
 * connection then delivers no further request, and HTTP/2 counts the rest as invalid frames and closes the connection after a
 * thousand.)
 *
 * It throws CANCELED if the client ends the call before the end of the body, by a reset or a lost connection, and
 * DEADLINE_EXCEEDED if the body takes longer than its limits. A large body waits for its turn before it is read to the end.
 */
export function bodyReader({ idleMs, totalMs }: BodyLimits): ReadBody {
  return async function* bodyOf(request, share) {
    const pieces = request.iterator({ destroyOnReturn: false });
    const late = Promise.withResolvers<never>();
    late.promise.catch(() => {});
    const stopTotal = startFirstBytesTimeout(totalMs, () =>
      late.reject(tooSlow(`was not complete after ${totalMs / 1000} s`)),
    );
    try {
      for (let length = 0; ; ) {
        const stopIdle = startFirstBytesTimeout(idleMs, () =>
          late.reject(tooSlow(`paused for ${idleMs / 1000} s`)),
        );
        const piece = await Promise.race([pieces.next(), late.promise]).finally(stopIdle);
        if (piece.done) return;
        length += piece.value.length;
        share.hold(piece.value.length);
        if (length > LARGE_BYTES) await Promise.race([share.large(), late.promise]);
        yield piece.value;
      }
    } catch (cause) {
      throw cause instanceof ConnectError ? cause : clientLeft(cause);
    } finally {
      stopTotal();
      const discardRest = () => void request.resume();
      // Discards the rest after the piece that is still awaited: return() settles after it.
      pieces.return?.().then(discardRest, discardRest);
    }
  };
}

function tooSlow(what: string): ConnectError {
  return new ConnectError(`The body of the request ${what}; send it faster`, Code.DeadlineExceeded);
}
