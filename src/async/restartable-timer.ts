/** A timer that can be started again and again, at little cost, and that keeps no process alive. */
export class RestartableTimer {
  isRunning = false;
  readonly #ms: number;
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, ring: () => void) {
    this.#ms = ms;
    this.#ring = ring;
  }

  /** Rings once, `ms` from now; if it was running, only that. */
  start(): void {
    this.isRunning = true;
    if (this.#timer !== undefined) this.#timer.refresh();
    else this.#timer = setTimeout(() => this.#fire(), this.#ms).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.isRunning = false;
  }

  #fire(): void {
    this.isRunning = false;
    this.#ring();
  }
}
