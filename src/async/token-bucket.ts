/**
 * When a chunk that is not full may go: a few at once after a silence, so that the first lines of a burst are seen
 * as they come, then one every `ms`, so that a program that prints line by line costs few commits.
 */
export class TokenBucket {
  readonly #ms: number;
  readonly #burst: number;
  readonly #onOpen: () => void;
  #spent = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `onOpen` is called every `ms` as long as something is spent. */
  constructor(ms: number, burst: number, onOpen: () => void) {
    this.#ms = ms;
    this.#burst = burst;
    this.#onOpen = onOpen;
  }

  get isOpen(): boolean {
    return this.#spent < this.#burst;
  }

  /** A chunk goes, full or not. */
  spend(): void {
    this.#spent = Math.min(this.#spent + 1, this.#burst);
    this.#timer ??= setInterval(() => this.#earn(), this.#ms).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #earn(): void {
    this.#spent--;
    if (this.#spent === 0) this.stop();
    this.#onOpen();
  }
}
