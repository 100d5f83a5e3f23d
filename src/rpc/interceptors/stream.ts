export interface StreamGuard<T> {
  /** A message is on its way. What this returns is sent instead. */
  each?: (message: T) => T;
  /** Something was thrown inside the stream. What this returns is thrown instead. */
  failed?: (error: unknown) => unknown;
  /** A message could not be sent, and why. What this returns is thrown into the stream, where it waits to go on. */
  unsent?: (error: unknown) => unknown;
  /** The stream is over: by itself, by an error (already mapped by `failed`), or because nobody reads on. Called once. */
  ended?: (error: unknown) => void;
}

/**
 * Wraps a response's messages. Connect runs a server stream's handler only while its messages are read, so an
 * interceptor that looks at `await next(request)` alone sees none of its errors and not its end.
 * Written as a plain iterator: an async generator costs two more promises a message.
 */
export function guardStream<T>(messages: AsyncIterable<T>, guard: StreamGuard<T>): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => guardIterator(messages[Symbol.asyncIterator](), guard) };
}

function guardIterator<T>(inner: AsyncIterator<T>, guard: StreamGuard<T>): AsyncIterator<T> {
  let over = false;
  const end = (error?: unknown): void => {
    if (!over) guard.ended?.(error);
    over = true;
  };
  const fail = (error: unknown): never => {
    const mapped = guard.failed ? guard.failed(error) : error;
    end(mapped);
    throw mapped;
  };
  const pass = (result: IteratorResult<T>): IteratorResult<T> => {
    if (result.done) end();
    else if (guard.each) return { done: false, value: guard.each(result.value) };
    return result;
  };
  return {
    next: () => inner.next().then(pass, fail),
    return: (value) => (inner.return?.(value) ?? done(value)).then(pass, fail),
    throw(error) {
      const why = guard.unsent ? guard.unsent(error) : error;
      return (inner.throw?.(why) ?? Promise.reject(why)).then(pass, fail);
    },
  };
}

async function done<T>(value: unknown): Promise<IteratorResult<T>> {
  return { done: true, value: await value };
}
