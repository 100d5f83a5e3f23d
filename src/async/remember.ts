/**
 * Returns a function that reads an answer and remembers the newest `most` of them, for facts that never change. `undefined`
 * is not remembered: the answer may come to exist.
 */
export function remember<K, T>(
  most: number,
  keyOf: (asked: K) => string,
  read: (asked: K) => Promise<T | undefined>,
): (asked: K) => Promise<T | undefined> {
  const known = new Map<string, T>();
  return async (asked) => {
    const key = keyOf(asked);
    const answer = known.get(key) ?? (await read(asked));
    if (answer === undefined) return undefined;
    known.set(key, answer);
    if (known.size > most) known.delete(known.keys().next().value ?? key);
    return answer;
  };
}
