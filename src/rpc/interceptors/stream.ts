export interface StreamGuard<T> {
  /** Called with each message; its result is sent instead. */
  each?: (message: T) => T;
  /** Called with an error from inside the stream; its result is thrown instead. */
  failed?: (error: unknown) => unknown;
  /** Called with the reason why a message could not be sent; its result is thrown into the waiting stream. */
  unsent?: (error: unknown) => unknown;
  /** Called once at the end of the stream, with the error (mapped by `failed`) if there was one. Also when the reader stops early. */
  ended?: (error: unknown) => void;
}

/**
 * Wraps the messages of a stream. Connect runs the handler of a server stream only while its messages are read, so an
 * interceptor that only awaits `next(request)` sees neither the errors nor the end of the stream.
 * Written as a plain iterator, since an async generator costs two more promises per message.
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
