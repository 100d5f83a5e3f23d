/**
 * Coalesces reads: callers that ask for the same within one turn of the event loop share one read. A read that has begun
 * takes no more callers, since the change they were notified of may be newer. Thousands of watchers of a task wake at once
 * when its status changes; a read for each would keep the database busy for minutes.
 */
export function coalesce<A extends readonly (string | number)[], T>(
  read: (...args: A) => Promise<T>,
): (...args: A) => Promise<T> {
  const waiting = new Map<string, Promise<T>>();
  return (...args) => {
    const key = JSON.stringify(args);
    const begun = waiting.get(key);
    if (begun) return begun;
    const reading = new Promise<void>((resolve) => void setImmediate(resolve)).then(() => {
      waiting.delete(key);
      return read(...args);
    });
    waiting.set(key, reading);
    return reading;
  };
}
