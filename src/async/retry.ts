import { sleep } from "./first-of.ts";

export interface RetryOptions {
  /** Milliseconds before each further try; when there are none left, the last error is thrown. */
  pausesMs: Iterable<number>;
  /** Ends the pauses and further tries. The work itself must end what it is doing. */
  signal: AbortSignal;
  /** Whether another try may help. Default: always. */
  mayPass?(error: unknown): boolean;
  /** Called before each pause; may throw to give up with another error. */
  onRetry?(error: unknown, pauseMs: number): void;
}

/**
 * Repeats work until it succeeds, or fails with an error for which `mayPass` is false.
 * @throws the last error; the signal's reason once it is aborted
 */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { pausesMs, signal, mayPass = () => true, onRetry = () => {} } = options;
  const pauses = pausesMs[Symbol.iterator]();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error)) throw error;
      const { done, value: pauseMs } = pauses.next();
      if (done) throw error;
      onRetry(error, pauseMs);
      await sleep(pauseMs, signal);
    }
  }
}

/** Yields pauses in milliseconds that double up to the longest one. `count`: number of pauses, by default unlimited. */
export function* backOff(
  { firstMs, longestMs }: { firstMs: number; longestMs: number },
  count = Number.POSITIVE_INFINITY,
): Generator<number> {
  for (let at = 0; at < count; at++) yield Math.min(firstMs * 2 ** at, longestMs);
}
