import { TAG, WireReader } from "./wire.ts";

/**
 * Iterates over the lines of a chunk's data without decoding them and without an object for each, since logs have
 * millions of lines. The fields describe the line that next() found last; positions are those in `data`.
 */
export class LineScanner {
  readonly data: Buffer;
  /** Bounds of the encoded line, its tag and its size included. */
  start = 0;
  end = 0;
  seq = 0;
  /** Number of the enum LogStream in the contract. */
  stream = 0;
  contentStart = 0;
  contentEnd = 0;
  partial = false;
  readonly #reader: WireReader;

  constructor(data: Buffer) {
    this.data = data;
    this.#reader = new WireReader(data);
  }

  /**
   * Moves to the next line; returns false if there is none.
   * @throws RangeError if the data is broken
   */
  next(): boolean {
    const reader = this.#reader;
    while (reader.at < this.data.length) {
      this.start = reader.at;
      const tag = reader.varint();
      if (tag === TAG.batchLine) {
        this.#read(reader, reader.varint());
        return true;
      }
      reader.skip(tag);
    }
    return false;
  }

  #read(reader: WireReader, size: number): void {
    const end = reader.at + size;
    if (end > this.data.length) throw new RangeError("Cannot read a log chunk: it ends inside a line");
    this.end = end;
    this.seq = 0;
    this.stream = 0;
    this.contentStart = end;
    this.contentEnd = end;
    this.partial = false;
    while (reader.at < end) {
      const tag = reader.varint();
      if (tag === TAG.lineSeq) this.seq = reader.varint();
      else if (tag === TAG.lineStream) this.stream = reader.varint();
      else if (tag === TAG.lineContent) {
        const length = reader.varint();
        this.contentStart = reader.at;
        this.contentEnd = reader.at = reader.at + length;
      } else if (tag === TAG.linePartial) this.partial = reader.varint() !== 0;
      else reader.skip(tag);
    }
    if (reader.at !== end) throw new RangeError("Cannot read a log chunk: a field ends behind its line");
  }
}
