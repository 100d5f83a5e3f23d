/** Resolves when the first of several waits resolves and aborts the others; rejects when `signal` aborts. */
export async function firstOf(
  signal: AbortSignal,
  ...waits: ((signal: AbortSignal) => Promise<unknown>)[]
): Promise<void> {
  signal.throwIfAborted();
  const decided = new AbortController();
  const forward = () => decided.abort(signal.reason);
  signal.addEventListener("abort", forward);
  try {
    const racing = waits.map((wait) => wait(decided.signal));
    for (const losing of racing) losing.catch(() => {});
    await Promise.race([...racing, aborted(decided.signal)]);
  } finally {
    signal.removeEventListener("abort", forward);
    decided.abort(DECIDED);
  }
}

/** Abort reason of the losing waits. Shared, since a new error for each costs more than the waits themselves. */
const DECIDED = new Error("Another wait was the first to end");

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
  );
}

/** Resolves after `ms` milliseconds; rejects with the signal's reason when that is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
