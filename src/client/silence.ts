import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Reads a stream that must not be silent for longer than `ms`. Time in which the reader processes a message does not count.
 * At the end the stream is always aborted with `canceled`, which the server logs as a caller that left: for any other
 * reason Connect would reset the stream with INTERNAL_ERROR.
 * @throws ConnectError with UNAVAILABLE after the silence
 */
export async function* guarded<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  ms: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  const call = new AbortController();
  const leave = () => call.abort(new ConnectError("the reader left", Code.Canceled));
  let state = "waiting" as "waiting" | "reading" | "silent";
  const timer = setTimeout(() => {
    if (state !== "waiting") return;
    state = "silent";
    leave();
  }, ms);
  signal?.addEventListener("abort", leave);
  if (signal?.aborted) leave();
  try {
    const messages = open(call.signal)[Symbol.asyncIterator]();
    for (;;) {
      state = "waiting";
      timer.refresh();
      const next = await messages.next();
      state = "reading";
      if (next.done) return;
      yield next.value;
    }
  } catch (error) {
    throw state === "silent" ? new ConnectError(`nothing came for ${ms / 1000} s`, Code.Unavailable) : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", leave);
    leave();
  }
}
