export type LogStreamName = "stdout" | "stderr" | "system";
/** A stream of the task's program, whose raw bytes are counted. */
export type ProgramStream = "stdout" | "stderr";
/** Number of raw bytes of each stream, counted from its beginning. */
export type StreamOffsets = Record<ProgramStream, number>;

/** Consecutive lines of one task, encoded once. Immutable. */
export interface Chunk {
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** A protobuf `signalman.v1.LogBatch` of at most 64 KiB, `first_seq` in front. */
  readonly data: Buffer;
  /** Number of its lines by stream, so that filters and tails can skip whole chunks. */
  readonly counts: Readonly<Record<LogStreamName, number>>;
  /**
   * Raw bytes that this chunk and all before it cover. A log that is opened with these offsets and `lastSeq`, and is
   * given the bytes from there on, continues with exactly the rest: no byte is lost or repeated, and no secret is cut
   * in half.
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
  /** Raw bytes of each stream that are already stored. */
  offsets: Readonly<StreamOffsets>;
  /** Secret values, which are masked in the log. */
  secrets: readonly string[];
  /** Called with each chunk after PostgreSQL has committed it, in the order of the lines. */
  onStored?(chunk: Chunk): void;
  /** Milliseconds since 1970, for the lines' time. Default: Date.now. */
  now?(): number;
  /** Chunks that may be in the sink at once. Default: 2. */
  depth?: number;
}

/** The log of one running task: takes bytes, stores chunks. */
export interface TaskLog extends AsyncDisposable {
  /**
   * Takes bytes of a stream; `offset` is the raw offset of the first byte and must be where the last write ended.
   * Returns undefined if all bytes were taken at once; else a promise for backpressure, until whose end the buffer
   * must not change and the stream must not be written. The promise never rejects; after a failure of the sink bytes
   * are dropped.
   * @throws RangeError if the offset is wrong; Error if an earlier write still waits, or after end()
   */
  write(stream: ProgramStream, bytes: Buffer, offset: number): Promise<void> | undefined;
  /**
   * Adds lines of the service itself, redacted too. Never waits.
   * @throws Error after end()
   */
  say(text: string): void;
  /** Masks further secrets from now on, also in bytes that are not yet lines. */
  addSecrets(secrets: readonly string[]): void;
  /**
   * Waits for pending writes, makes lines of the remaining bytes and stores all chunks but the last. Resolves with
   * the last chunk, which the caller commits together with the final status; undefined if no line is left to store.
   * Rejects with the sink's error if storing failed.
   */
  end(): Promise<Chunk | undefined>;
  /** Number of the last line that was created, whether it has been stored or not. */
  readonly lastSeq: number;
  /** Raw bytes of each stream that are committed. */
  readonly storedOffsets: Readonly<StreamOffsets>;
  /** Aborts with the sink's error when storing has failed; later bytes and lines are dropped. */
  readonly failed: AbortSignal;
  /**
   * Closes the log of a server that shuts down: drops chunks that were not handed to the sink and waits for the
   * others.
   */
  [Symbol.asyncDispose](): Promise<void>;
}
