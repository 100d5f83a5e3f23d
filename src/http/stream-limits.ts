import { streamBehind, streamExpired } from "../rpc/errors/errors.ts";
import type { Call } from "./calls.ts";

/** Limits of a stream, in milliseconds. Both end it with UNAVAILABLE and RetryInfo; its resume token stays usable. */
export interface StreamLimits {
  /** Greatest age. Each stream gets 80 to 100 % of it, so that streams opened together do not end together. */
  maxAgeMs: number;
  /** Longest time for which one message may wait because the client does not read. */
  maxPendingMs: number;
}

export const STREAM_LIMITS: StreamLimits = { maxAgeMs: 3_600_000, maxPendingMs: 60_000 };

/** Ends a stream when it is too old, so that streams spread over servers that were added or restarted. */
export function limitAge({ end }: Pick<Call, "end">, { maxAgeMs }: StreamLimits): Disposable {
  const timer = setTimeout(() => end(streamExpired()), maxAgeMs * (0.8 + Math.random() / 5));
  timer.unref();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** Time for which writes wait for the client. */
export interface Pace extends Disposable {
  /** Says that a write begins. `late` is called once if it has not ended in time; the stream ends then. */
  begins(late: () => void): void;
  ended(): void;
  /** Whether a write was late. */
  readonly isLate: boolean;
}

/** Ends a stream whose client has not read a message in time. One timer serves all its writes. */
export function limitPending({ end }: Pick<Call, "end">, { maxPendingMs }: StreamLimits): Pace {
  let waiting: (() => void) | undefined;
  let isLate = false;
  const timer = setTimeout(() => {
    if (!waiting || isLate) return;
    isLate = true;
    end(streamBehind());
    waiting();
  }, maxPendingMs);
  timer.unref();
  return {
    begins(late) {
      waiting = late;
      timer.refresh();
    },
    ended() {
      waiting = undefined;
    },
    get isLate() {
      return isLate;
    },
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
