/** A number of permits. Whoever finds none waits, in the order of asking. */
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
