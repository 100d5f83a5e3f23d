import { STREAM_NUMBERS } from "./stamp.ts";
import type { Chunk, StreamOffsets } from "./types.ts";
import { TAG, varintLength, writeVarint } from "./wire.ts";

/**
 * Size limit of a chunk's data. Together with the resume token and tags of a watcher's message it fits into 64 KiB:
 * protobuf-es doubles its buffer until a message fits, so a little more would take twice the memory.
 */
export const CHUNK_BYTES = 64 * 1024 - 256;

/** Numbers lines and encodes each of them once, into the chunk that is being filled. */
export class ChunkEncoder {
  /** Number of the last line added. */
  lastSeq: number;
  #out: Buffer | undefined;
  #used = 0;
  #firstSeq = 0;
  #counts = [0, 0, 0, 0];

  constructor(lastSeq: number) {
    this.lastSeq = lastSeq;
  }

  get isEmpty(): boolean {
    return this.#used === 0;
  }

  /**
   * Adds the line `bytes[start..end)`, 16 KiB at most, with the stamp that encodeStamp made for `stream` (a number of
   * the enum). Returns false if it does not fit; nothing has changed then. An empty chunk takes any line.
   */
  add(stream: number, stamp: Buffer, bytes: Buffer, start: number, end: number, partial: boolean): boolean {
    const length = end - start;
    const seq = this.lastSeq + 1;
    const size = 1 + varintLength(seq) + stamp.length + varintLength(length) + length + (partial ? 2 : 0);
    if (this.#used === 0) this.#open(seq);
    const out = this.#out as Buffer;
    let at = this.#used;
    if (at + 1 + varintLength(size) + size > CHUNK_BYTES) return false;
    out[at++] = TAG.batchLine;
    at = writeVarint(out, at, size);
    out[at++] = TAG.lineSeq;
    at = writeVarint(out, at, seq);
    for (let i = 0; i < stamp.length; i++) out[at++] = stamp[i] as number;
    at = writeVarint(out, at, length);
    if (length > 0) bytes.copy(out, at, start, end);
    at += length;
    if (partial) {
      out[at++] = TAG.linePartial;
      out[at++] = 1;
    }
    this.#used = at;
    this.lastSeq = seq;
    (this.#counts[stream] as number)++;
    return true;
  }

  /** Returns the chunk of all lines added since the last call, at least one, with `offsets`. */
  finish(offsets: StreamOffsets): Chunk {
    const count = (stream: number) => this.#counts[stream] as number;
    const chunk: Chunk = {
      firstSeq: this.#firstSeq,
      lastSeq: this.lastSeq,
      // Copied into separate memory: watchers keep the chunk, and a slice of Node's buffer pool would keep 64 KiB alive.
      data: Buffer.from(new Uint8Array((this.#out as Buffer).subarray(0, this.#used)).buffer),
      counts: {
        stdout: count(STREAM_NUMBERS.stdout),
        stderr: count(STREAM_NUMBERS.stderr),
        system: count(STREAM_NUMBERS.system),
      },
      offsets,
    };
    this.#used = 0;
    this.#counts = [0, 0, 0, 0];
    return chunk;
  }

  #open(seq: number): void {
    this.#out ??= Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#firstSeq = seq;
    this.#out[0] = TAG.batchFirstSeq;
    this.#used = writeVarint(this.#out, 1, seq);
  }
}
