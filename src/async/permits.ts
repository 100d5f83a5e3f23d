/** A limited number of permits. A caller that finds none waits; callers are served in the order in which they asked. */
export class Permits {
  #free: number;
  readonly #waiting: ((release: () => void) => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Resolves with a function that returns the permit. It must be called exactly once. */
  acquire(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<() => void>();
    this.#waiting.push(resolve);
    this.#grant();
    return promise;
  }

  #grant(): void {
    while (this.#free > 0) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#free--;
      next(() => {
        this.#free++;
        this.#grant();
      });
    }
  }
}
