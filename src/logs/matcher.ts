/** Longest beginning of the patterns that the skip table covers, in bytes. */
const LONGEST_PREFIX = 64;
/** Slots of the tables that are indexed by a hash of two bytes. */
const SLOTS = 1 << 14;
const ANY_BYTE = Array.from({ length: 256 }, (_, byte) => byte);

/**
 * Finds many patterns in one pass that skips most bytes, at a cost that hardly depends on their number. (Wu and
 * Manber, "A fast algorithm for multi-pattern searching", 1994: a table says, for the two bytes at the end of a
 * window as long as the shortest pattern, how far the window can move without missing a pattern.)
 */
export class Matcher {
  /** Length of the occurrence that find() returned. */
  found = 0;
  readonly #prefix: number;
  readonly #longest: number;
  readonly #skip = new Uint8Array(SLOTS);
  /** Index of the list, by the pattern's first two bytes. */
  readonly #slots = new Uint16Array(SLOTS);
  /** Patterns that share a slot, the longest first. The first list is empty, for unused slots. */
  readonly #lists: Buffer[][] = [[]];
  /** Whether a pattern of two or more bytes begins with this byte. */
  readonly #begins = new Uint8Array(256);

  /** `patterns`: one or more, none of them empty. */
  constructor(patterns: readonly Buffer[]) {
    const longestFirst = patterns.toSorted((a, b) => b.length - a.length);
    this.#longest = longestFirst[0]?.length ?? 0;
    this.#prefix = Math.min(LONGEST_PREFIX, longestFirst.at(-1)?.length ?? 0);
    this.#skip.fill(Math.max(1, this.#prefix - 1));
    for (const pattern of longestFirst) this.#add(pattern);
  }

  #add(pattern: Buffer): void {
    const [first, second] = pattern as unknown as [number, number?];
    for (const next of second === undefined ? ANY_BYTE : [second])
      this.#list(hash(first, next)).push(pattern);
    if (second !== undefined) this.#begins[first] = 1;
    for (const before of this.#prefix === 1 ? ANY_BYTE : []) this.#skip[hash(before, first)] = 0;
    for (let end = 1; end < this.#prefix; end++) {
      const pair = hash(pattern[end - 1] as number, pattern[end] as number);
      this.#skip[pair] = Math.min(this.#skip[pair] as number, this.#prefix - 1 - end);
    }
  }

  #list(slot: number): Buffer[] {
    if (this.#slots[slot] === 0) this.#slots[slot] = this.#lists.push([]) - 1;
    return this.#lists[this.#slots[slot] as number] as Buffer[];
  }

  /**
   * Returns the start of the first occurrence in `bytes[from..end)`, or -1. `found` is then the length of the longest
   * occurrence that starts there.
   */
  find(bytes: Buffer, from: number, end: number): number {
    const last = this.#prefix - 1;
    const skip = this.#skip;
    let at = from + last;
    while (at < end) {
      const step = skip[hash(bytes[at - 1] as number, bytes[at] as number)] as number;
      if (step === 0 && this.#matchAt(bytes, at - last, end)) return at - last;
      at += step === 0 ? 1 : step;
    }
    return -1;
  }

  #matchAt(bytes: Buffer, start: number, end: number): boolean {
    for (const pattern of this.#candidates(bytes, start)) {
      if (pattern.length > end - start || !agree(bytes, start, pattern, pattern.length)) continue;
      this.found = pattern.length;
      return true;
    }
    return false;
  }

  /**
   * Returns the first position in `bytes[from..end)` from which the rest may begin a pattern; `end` if there is none.
   */
  undecided(bytes: Buffer, from: number, end: number): number {
    for (let at = Math.max(from, end - this.#longest + 1); at < end - 1; at++) {
      for (const pattern of this.#candidates(bytes, at)) {
        if (pattern.length <= end - at) break;
        if (agree(bytes, at, pattern, end - at)) return at;
      }
    }
    return end > from && this.#begins[bytes[end - 1] as number] === 1 ? end - 1 : end;
  }

  #candidates(bytes: Buffer, start: number): Buffer[] {
    const slot = this.#slots[hash(bytes[start] as number, bytes[start + 1] as number)] as number;
    return this.#lists[slot] as Buffer[];
  }
}

function hash(first: number, second: number): number {
  return ((first << 6) ^ second) & (SLOTS - 1);
}

function agree(bytes: Buffer, start: number, pattern: Buffer, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[start + i] !== pattern[i]) return false;
  return true;
}
