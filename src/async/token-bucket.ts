/**
 * Limits how often a partly filled chunk is sent: `burst` at once after a silence, so that the first lines are shown as they
 * come, then one every `ms` milliseconds, so that a program that prints line by line costs few commits.
 */
export class TokenBucket {
  readonly #ms: number;
  readonly #burst: number;
  readonly #onOpen: () => void;
  #spent = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `onOpen` is called each time a token is returned. */
  constructor(ms: number, burst: number, onOpen: () => void) {
    this.#ms = ms;
    this.#burst = burst;
    this.#onOpen = onOpen;
  }

  get isOpen(): boolean {
    return this.#spent < this.#burst;
  }

  /** Takes a token: a chunk is sent. */
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
