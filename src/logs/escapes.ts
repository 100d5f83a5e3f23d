const ESC = 0x1b;
const BEL = 0x07;
const NEWLINE = 0x0a;

/**
 * The text without terminal escape sequences (ECMA-48: CSI, OSC and the other strings, two-character escapes).
 * What is unterminated ends at the line's end. All else stays, carriage returns too. Returns `text` itself if
 * there is nothing to remove.
 */
export function stripEscapes(text: Buffer): Buffer {
  let next = text.indexOf(ESC);
  if (next < 0) return text;
  const out = Buffer.allocUnsafe(text.length);
  let from = 0;
  let used = 0;
  while (next >= 0) {
    used += text.copy(out, used, from, next);
    from = sequenceEnd(text, next + 1);
    next = text.indexOf(ESC, from);
  }
  used += text.copy(out, used, from);
  return out.subarray(0, used);
}

/** `at`: behind the ESC. */
function sequenceEnd(text: Buffer, at: number): number {
  const kind = String.fromCharCode(text[at] ?? 0);
  if (kind === "[") return controlEnd(text, at + 1);
  if ("]PX^_".includes(kind)) return stringEnd(text, at + 1);
  const last = skipRange(text, at, 0x20, 0x2f);
  return isIn(text[last], 0x30, 0x7e) ? last + 1 : last;
}

/** Parameters, intermediates, one final byte; anything else ends it without being part of it. */
function controlEnd(text: Buffer, at: number): number {
  const last = skipRange(text, skipRange(text, at, 0x30, 0x3f), 0x20, 0x2f);
  return isIn(text[last], 0x40, 0x7e) ? last + 1 : last;
}

/** Up to BEL or ESC \; another escape or the line's end ends it too. */
function stringEnd(text: Buffer, start: number): number {
  let at = start;
  while (at < text.length && text[at] !== BEL && text[at] !== ESC && text[at] !== NEWLINE) at++;
  if (text[at] === BEL) return at + 1;
  return text[at] === ESC && text[at + 1] === 0x5c ? at + 2 : at;
}

function skipRange(text: Buffer, start: number, low: number, high: number): number {
  let at = start;
  while (isIn(text[at], low, high)) at++;
  return at;
}

function isIn(byte: number | undefined, low: number, high: number): boolean {
  return byte !== undefined && byte >= low && byte <= high;
}
