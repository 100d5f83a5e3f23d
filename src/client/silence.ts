import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Reads a stream that must never be silent for longer than `ms`: then UNAVAILABLE is thrown. Time that the reader itself
 * takes does not count. However it ends, the stream is cancelled in a way that the server takes as the caller's leave:
 * Connect resets a stream with INTERNAL_ERROR if it is aborted with anything but `canceled`.
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
