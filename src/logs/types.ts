export type LogStreamName = "stdout" | "stderr" | "system";
/** A stream of the program: it has raw offsets. */
export type ProgramStream = "stdout" | "stderr";
/** Raw bytes of each stream, counted from its beginning. */
export type StreamOffsets = Record<ProgramStream, number>;

/** Consecutive lines of one task, encoded once. Immutable. */
export interface Chunk {
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** A protobuf `signalman.v1.LogBatch` of at most 64 KiB, `first_seq` in front. */
  readonly data: Buffer;
  /** Its lines by stream, so that filters and tails can skip whole chunks. */
  readonly counts: Readonly<Record<LogStreamName, number>>;
  /**
   * Raw bytes covered by this chunk and all before it. A new log opened with these (and `lastSeq`), and given
   * the bytes from there on, goes on with exactly the rest: nothing lost, nothing twice, no secret cut in half.
   */
  readonly offsets: Readonly<StreamOffsets>;
}

/**
 * Stores chunks. `store` resolves once the chunk is committed. It is called in order, also while earlier calls are pending
 * (`depth` at most), and must commit in that order. It retries transient errors itself; a rejection ends the log.
 */
export interface ChunkSink {
  store(chunk: Chunk): Promise<void>;
}

export interface TaskLogOptions {
  sink: ChunkSink;
  /** Number of the last line already stored; 0: none. */
  lastSeq: number;
  /** What is already stored of each stream. */
  offsets: Readonly<StreamOffsets>;
  /** Secret values, which are masked in the log. */
  secrets: readonly string[];
  /** Called after each commit, in order. */
  onStored?(chunk: Chunk): void;
  /** Milliseconds since 1970, for the lines' time. Default: Date.now. */
  now?(): number;
  /** How many chunks may be in the sink at once; default 2. */
  depth?: number;
}

/** The log of one running task: takes bytes, stores chunks. */
export interface TaskLog extends AsyncDisposable {
  /**
   * Takes bytes of a stream; `offset` is the raw offset of the first one and must be where the last write
   * stopped. Returns undefined when all was taken at once, else a promise to wait for (backpressure): until it
   * resolves, the buffer must stay as it is and the same stream must not be written. Never rejects; after a
   * failure of the sink bytes are dropped. Throws on a wrong offset, a write that did not wait, or after end().
   */
  write(stream: ProgramStream, bytes: Buffer, offset: number): Promise<void> | undefined;
  /** Adds lines of the service itself, redacted too. Never waits; throws after end(). */
  say(text: string): void;
  /** Masks further secrets, from now on and in bytes that are not yet lines. */
  addSecrets(secrets: readonly string[]): void;
  /**
   * Waits for pending writes, makes lines of the remaining bytes and stores all chunks but the last, which it
   * returns: the caller commits it together with the final status. Undefined: nothing is left to store.
   * Rejects with the sink's error if storing failed.
   */
  end(): Promise<Chunk | undefined>;
  /** Number of the last line made, stored or not. */
  readonly lastSeq: number;
  /** What is committed of each stream. */
  readonly storedOffsets: Readonly<StreamOffsets>;
  /** Aborts with the sink's error when it failed; everything after is dropped. */
  readonly failed: AbortSignal;
  /** For a server that shuts down: drops chunks that were not handed to the sink and waits for the others. */
  [Symbol.asyncDispose](): Promise<void>;
}
