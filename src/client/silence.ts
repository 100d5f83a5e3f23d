import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Reads a stream that must never be silent for longer than `ms`: then it is cancelled, and UNAVAILABLE is thrown. Time
 * that the reader itself takes does not count. The stream is also cancelled when the reader leaves it.
 */
export async function* guarded<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  ms: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  const own = new AbortController();
  const messages = open(signal ? AbortSignal.any([signal, own.signal]) : own.signal)[Symbol.asyncIterator]();
  let isWaiting = true;
  const timer = setTimeout(() => {
    if (isWaiting) own.abort(new ConnectError(`nothing came for ${ms / 1000} s`, Code.Unavailable));
  }, ms);
  try {
    for (;;) {
      isWaiting = true;
      timer.refresh();
      const next = await messages.next();
      isWaiting = false;
      if (next.done) return;
      yield next.value;
    }
  } catch (error) {
    throw own.signal.aborted ? own.signal.reason : error;
  } finally {
    clearTimeout(timer);
    own.abort(new ConnectError("the reader left", Code.Canceled));
  }
}
