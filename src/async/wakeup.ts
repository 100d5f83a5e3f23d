/** Lets one waiter at a time wait for a notification. */
export interface Wakeup {
  /** Wakes the waiter, if there is one. */
  notify(): void;
  /** Resolves at the next notification, after `ms` milliseconds, or when the signal is aborted. Never rejects. */
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
