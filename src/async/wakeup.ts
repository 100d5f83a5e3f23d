/** Waits for news, one waiter at a time. */
export interface Wakeup {
  /** Wakes whoever waits. */
  notify(): void;
  /** Resolves at the next news, or after `ms`, or when the signal is aborted. Never rejects. */
  next(ms: number, signal: AbortSignal): Promise<void>;
}

export function createWakeup(): Wakeup {
  let wake = () => {};
  return {
    notify: () => wake(),
    next(ms, signal) {
      if (signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const done = () => {
          wake = () => {};
          clearTimeout(timer);
          signal.removeEventListener("abort", done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        signal.addEventListener("abort", done, { once: true });
        wake = done;
      });
    },
  };
}
