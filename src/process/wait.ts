import { setTimeout } from "node:timers/promises";

/** Resolves with the first of several waits and ends the others; rejects when `signal` aborts. */
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
    decided.abort();
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
  );
}

/** Milliseconds; rejects with the signal's reason when that aborts. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}
