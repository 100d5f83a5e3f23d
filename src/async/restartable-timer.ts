/** A timer that is cheap to restart and does not keep the process alive. */
export class RestartableTimer {
  isRunning = false;
  readonly #ms: number;
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, ring: () => void) {
    this.#ms = ms;
    this.#ring = ring;
  }

  /** Calls back once, `ms` milliseconds from now; restarts the timer if it is running. */
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
