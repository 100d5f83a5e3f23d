/**
 * A reader whose callers of the same moment share one read: those who ask for the same in one turn of the event loop. A
 * read that has begun is not joined, since what a caller has just heard of may be newer. Thousands of watchers of a task
 * wake at once when its status changes; each for itself, they would keep the database busy for minutes.
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
