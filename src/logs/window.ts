import type { Span } from "./secrets.ts";

const MASK = Buffer.from("***");
const SMALLEST = 4096;

/** A `***` in the window, and the number of bytes by which the secret is longer. */
interface Mask {
  at: number;
  excess: number;
}

/**
 * The bytes of one stream that are not yet lines. `bytes[taken..shown)` is redacted and may become lines;
 * `bytes[shown..end)` is raw and undecided, since it may begin a secret.
 */
export class StreamWindow {
  bytes: Buffer = Buffer.alloc(0);
  taken = 0;
  shown = 0;
  end = 0;
  /** Raw offset of `bytes[0]`. */
  #base: number;
  #masks: Mask[] = [];
  #spare: Buffer = Buffer.alloc(0);

  /** `offset`: raw offset of the first byte to come. */
  constructor(offset: number) {
    this.#base = offset;
  }

  /** Raw offset up to which lines have been made, at which a new window can start. */
  get offset(): number {
    return this.#rawAt(this.taken);
  }

  /** Raw offset of the next byte to come. */
  get received(): number {
    return this.#rawAt(this.shown) + this.end - this.shown;
  }

  /** Appends a copy of raw bytes; they are undecided. */
  append(more: Buffer): void {
    this.#compact();
    if (this.bytes.length < this.end + more.length) this.bytes = this.#grown(this.end + more.length);
    more.copy(this.bytes, this.end);
    this.end += more.length;
  }

  /** Marks the bytes before `decided` as shown, with a `***` for each span. */
  show(decided: number, spans: readonly Span[]): void {
    if (spans.length > 0) this.#hide(decided, spans);
    else this.shown = decided;
  }

  /** Marks shown bytes as undecided again, back to the last `***`. */
  doubt(): void {
    const last = this.#masks.at(-1);
    this.shown = Math.max(this.taken, last === undefined ? 0 : last.at + MASK.length);
  }

  /** The last position up to `at` that is not inside a `***`. */
  cutBefore(at: number): number {
    const mask = this.#masks.find((m) => m.at < at && at < m.at + MASK.length);
    return mask === undefined ? at : mask.at;
  }

  #rawAt(position: number): number {
    let raw = this.#base + position;
    for (const mask of this.#masks) {
      if (mask.at >= position) break;
      raw += mask.excess;
    }
    return raw;
  }

  #compact(): void {
    const { taken } = this;
    if (taken === 0) return;
    this.#base = this.offset;
    this.bytes.copyWithin(0, taken, this.end);
    const left = this.#masks.filter((mask) => mask.at >= taken);
    this.#masks = left.map((mask) => ({ at: mask.at - taken, excess: mask.excess }));
    this.end -= taken;
    this.shown -= taken;
    this.taken = 0;
  }

  #grown(size: number): Buffer {
    const bigger = Buffer.allocUnsafeSlow(Math.max(SMALLEST, size + (size >> 2)));
    this.bytes.copy(bigger, 0, 0, this.end);
    return bigger;
  }

  #hide(decided: number, spans: readonly Span[]): void {
    const room = this.end + spans.length * MASK.length;
    const out = this.#spare.length >= room ? this.#spare : Buffer.allocUnsafeSlow(room + (room >> 2));
    let from = 0;
    let to = 0;
    for (const span of spans) {
      to += this.bytes.copy(out, to, from, span.start);
      this.#masks.push({ at: to, excess: span.end - span.start - MASK.length });
      to += MASK.copy(out, to);
      from = span.end;
    }
    this.bytes.copy(out, to, from, this.end);
    const shift = to - from;
    this.#spare = this.bytes;
    this.bytes = out;
    this.shown = decided + shift;
    this.end += shift;
  }
}
