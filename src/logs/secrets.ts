import type { Matcher } from "./matcher.ts";

/** Overlapping occurrences are masked as one; a chain of them longer than this many bytes is masked as several. */
const LONGEST_SPAN = 4096;

/** The bytes `[start..end)`, which must be masked. */
export interface Span {
  start: number;
  end: number;
}

/**
 * Looks for patterns in `bytes[from..end)`; `from` is not inside an occurrence. Unless `final`, bytes that may belong
 * to an occurrence once more bytes come stay undecided. Returns the position up to which all is decided, and the
 * spans to mask before it, in order and disjoint. Neither depends on how the bytes were split into calls.
 */
export function findSecrets(
  matcher: Matcher,
  bytes: Buffer,
  from: number,
  end: number,
  final: boolean,
): [decided: number, spans: Span[]] {
  const decided = final ? end : matcher.undecided(bytes, from, end);
  const spans: Span[] = [];
  let start = matcher.find(bytes, from, end);
  while (start >= 0 && start < decided) {
    const next: Span = { start, end: start + matcher.found };
    if (!join(spans.at(-1), next)) spans.push(next);
    start = matcher.find(bytes, start + 1, end);
  }
  const last = spans.at(-1);
  if (last === undefined || last.end <= decided) return [decided, spans];
  spans.pop();
  return [last.start, spans];
}

/**
 * Extends `open` by `next` if they overlap; returns false if `next` begins a new span. A chain is cut only at
 * an occurrence that reaches further than all before it, so that a search from there finds the whole rest of the
 * chain.
 */
function join(open: Span | undefined, next: Span): boolean {
  if (open === undefined || next.start >= open.end) return false;
  if (next.end <= open.end) return true;
  const isTooLong = next.start - open.start >= LONGEST_SPAN;
  open.end = isTooLong ? next.start : next.end;
  return !isTooLong;
}
