import { firstOf } from "./first-of.ts";

/**
 * Runs work one at a time for each `thing`, in the order of the calls. Rejects with the signal's reason if that is
 * aborted while the work waits.
 */
export type KeyedQueue = <T>(thing: string, signal: AbortSignal, work: () => Promise<T>) => Promise<T>;

export function createKeyedQueue(): KeyedQueue {
  const tails = new Map<string, Promise<void>>();
  return async (thing, signal, work) => {
    const before = tails.get(thing) ?? Promise.resolve();
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const tail = before.then(() => done);
    tails.set(thing, tail);
    void tail.then(() => {
      if (tails.get(thing) === tail) tails.delete(thing);
    });
    try {
      await firstOf(signal, () => before);
      return await work();
    } finally {
      resolve();
    }
  };
}
