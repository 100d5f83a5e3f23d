import { CHUNK_BYTES } from "./encoder.ts";
import { TAG, WireReader } from "./wire.ts";

/** With more bytes than these a batch takes no other chunk: it and what a watcher's message adds fit 256 KiB. */
export const ROOM_UP_TO = 3 * CHUNK_BYTES;

/**
 * One LogBatch of all lines of several, each with `first_seq` in front, in their order: the first as it is, the others
 * without that. A single one is returned itself. Throws a RangeError on bytes that are no such batch.
 */
export function joinBatches(batches: readonly Buffer[]): Buffer {
  const [first, ...others] = batches;
  if (first && others.length === 0) return first;
  return Buffer.concat(batches.map((batch, i) => (i === 0 ? batch : linesOf(batch))));
}

/** A view of the encoded lines. */
function linesOf(batch: Buffer): Buffer {
  const reader = new WireReader(batch);
  if (reader.varint() !== TAG.batchFirstSeq)
    throw new RangeError("Cannot join a log chunk: it does not begin with the number of its first line");
  reader.varint();
  return batch.subarray(reader.at);
}
