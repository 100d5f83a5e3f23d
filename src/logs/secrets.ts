import type { Matcher } from "./matcher.ts";

/** Overlapping occurrences are hidden as one; a chain of them longer than this is hidden in several. */
const LONGEST_SPAN = 4096;

/** `bytes[start..end)` must be hidden. */
export interface Span {
  start: number;
  end: number;
}

/**
 * Looks for patterns in `bytes[from..end)`, where `from` is not inside an occurrence. Unless `final`, what may
 * turn out to be (part of) an occurrence when more bytes come stays undecided. Returns up to where it is decided,
 * and what must be hidden before that, in order and apart. Neither depends on how the bytes were cut into calls.
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
 * Makes `next` a part of `open` if they overlap. A chain is cut only at an occurrence that reaches further than
 * all before it: a search that starts there finds all that is left of the chain.
 */
function join(open: Span | undefined, next: Span): boolean {
  if (open === undefined || next.start >= open.end) return false;
  if (next.end <= open.end) return true;
  const isTooLong = next.start - open.start >= LONGEST_SPAN;
  open.end = isTooLong ? next.start : next.end;
  return !isTooLong;
}
