import type { Chunk, ChunkSink, StreamOffsets } from "./types.ts";

/** Hands chunks to the sink in order, `depth` at a time, and tracks which are committed. */
export class CommitWindow {
  /** Raw offsets of each stream that are committed. */
  stored: Readonly<StreamOffsets>;
  readonly #sink: ChunkSink;
  readonly #depth: number;
  readonly #onCommit: (chunk: Chunk) => void;
  readonly #failure = new AbortController();
  #inFlight = 0;
  #ready: Chunk[] = [];
  #last: Promise<void> = Promise.resolve();
  #waiting: (() => void)[] = [];

  constructor(sink: ChunkSink, depth: number, stored: StreamOffsets, onCommit: (chunk: Chunk) => void) {
    this.#sink = sink;
    this.#depth = depth;
    this.stored = stored;
    this.#onCommit = onCommit;
  }

  /** Aborts with the sink's error. */
  get failed(): AbortSignal {
    return this.#failure.signal;
  }

  /** Whether a chunk that is pushed now would have to wait. */
  get isFull(): boolean {
    return this.#inFlight >= this.#depth;
  }

  /** Sends a chunk now or when its turn comes. Drops it after a failure. */
  push(chunk: Chunk): void {
    if (this.failed.aborted) return;
    if (this.isFull) this.#ready.push(chunk);
    else this.#send(chunk);
  }

  /** Forgets the chunks that are not sent yet. */
  drop(): void {
    this.#ready = [];
  }

  /** Resolves after the next commit, or after a failure. */
  changed(): Promise<void> {
    if (this.failed.aborted) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when all chunks are committed, or after a failure. */
  async drained(): Promise<void> {
    while ((this.#inFlight > 0 || this.#ready.length > 0) && !this.failed.aborted) await this.changed();
  }

  #send(chunk: Chunk): void {
    this.#inFlight++;
    this.#last = this.#settle(this.#last, this.#store(chunk), chunk);
  }

  /** Async, so that an error that the sink throws becomes a rejection. */
  async #store(chunk: Chunk): Promise<void> {
    await this.#sink.store(chunk);
  }

  /** Never rejects. */
  async #settle(before: Promise<void>, storing: Promise<void>, chunk: Chunk): Promise<void> {
    try {
      await storing;
      await before;
      if (!this.failed.aborted) this.#committed(chunk);
    } catch (error) {
      this.#fail(error);
    }
  }

  #committed(chunk: Chunk): void {
    this.#inFlight--;
    this.stored = chunk.offsets;
    const next = this.#ready.shift();
    if (next !== undefined) this.#send(next);
    this.#onCommit(chunk);
    this.#wake();
  }

  #fail(error: unknown): void {
    this.#ready = [];
    this.#failure.abort(error);
    this.#wake();
  }

  /**
   * Wakes the writers that wait. Both streams may wait for room: the last one to wait goes first, so that they take
   * turns.
   */
  #wake(): void {
    const waiting = this.#waiting.reverse();
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
