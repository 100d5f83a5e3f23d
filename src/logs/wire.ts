/** The parts of the protobuf wire format that a LogBatch needs (protobuf.dev/programming-guides/encoding). */

/** Tags (field number << 3 | wire type) of task.proto's LogBatch, LogLine and google.protobuf.Timestamp. */
export const TAG = {
  batchFirstSeq: 0x08,
  batchLine: 0x12,
  lineSeq: 0x08,
  lineTime: 0x12,
  lineStream: 0x18,
  lineContent: 0x22,
  linePartial: 0x28,
  seconds: 0x08,
  nanos: 0x10,
} as const;

/** Returns the number of bytes that `value` takes as a varint; a whole number from 0 to 2^53 - 1. */
export function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  let length = 4;
  for (let rest = value / 0x10000000; rest >= 1; rest /= 0x80) length++;
  return length;
}

/** Writes `value` (0 to 2^53 - 1) at `at`; returns the position after it. */
export function writeVarint(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  let to = at;
  while (rest > 0x7fffffff) {
    out[to++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest >= 0x80) {
    out[to++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[to++] = rest;
  return to;
}

/** Reads values from encoded bytes, one after the other. */
export class WireReader {
  readonly data: Uint8Array;
  at: number;

  constructor(data: Uint8Array, at = 0) {
    this.data = data;
    this.at = at;
  }

  /**
   * Reads an unsigned varint up to 2^53 - 1.
   * @throws RangeError if the bytes end inside it
   */
  varint(): number {
    const first = this.data[this.at];
    if (first !== undefined && first < 0x80) {
      this.at++;
      return first;
    }
    let value = 0;
    let unit = 1;
    for (;;) {
      const byte = this.data[this.at++];
      if (byte === undefined) throw new RangeError("Cannot read a log chunk: it ends inside a number");
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
      unit *= 0x80;
    }
  }

  /** Skips the value of a field whose tag has just been read. */
  skip(tag: number): void {
    const type = tag & 7;
    if (type === 0) this.varint();
    else if (type === 1) this.at += 8;
    else if (type === 2) this.at = this.varint() + this.at;
    else if (type === 5) this.at += 4;
    else
      throw new RangeError(
        `Cannot read a stored log chunk: it is damaged (protobuf wire type ${type}); restore the database from a backup`,
      );
  }
}
