/** Health of this server. It does not serve while it starts, while the database is unreachable, and once it shuts down. */
export interface HealthState {
  readonly serving: boolean;
  set(serving: boolean): void;
  /** Calls `listener` on every change, until the returned function is called. */
  subscribe(listener: (serving: boolean) => void): () => void;
}

export function createHealthState(serving = false): HealthState {
  const listeners = new Set<(serving: boolean) => void>();
  return {
    get serving() {
      return serving;
    },
    set(now) {
      if (now === serving) return;
      serving = now;
      for (const listener of [...listeners]) listener(now);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export type Readable = Pick<HealthState, "serving" | "subscribe">;

/** Returns a state that is serving while all given states are. */
export function allOf(...states: Readable[]): Readable {
  const serving = () => states.every((state) => state.serving);
  return {
    get serving() {
      return serving();
    },
    subscribe(listener) {
      const stops = states.map((state) => state.subscribe(() => listener(serving())));
      return () => stops.forEach((stop) => void stop());
    },
  };
}

/**
 * Yields the current state, then each change. Changes that are undone before the reader asks for them are left out.
 * @throws the signal's reason after an abort, once the last change has been read.
 */
export async function* followHealth(health: Readable, signal: AbortSignal): AsyncGenerator<boolean> {
  let changed = Promise.withResolvers<void>();
  const wake = (): void => changed.resolve();
  const unsubscribe = health.subscribe(wake);
  signal.addEventListener("abort", wake, { once: true });
  try {
    for (let last: boolean | undefined; ; ) {
      changed = Promise.withResolvers();
      const now = health.serving;
      if (now !== last) {
        last = now;
        yield now;
        continue;
      }
      signal.throwIfAborted();
      await changed.promise;
    }
  } finally {
    unsubscribe();
    signal.removeEventListener("abort", wake);
  }
}

/** Resolves with the signal's reason when the signal is aborted. */
export async function whenAborted(signal: AbortSignal): Promise<unknown> {
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  return signal.reason;
}
