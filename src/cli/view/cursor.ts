/** Where output has left the cursor of a terminal. */
export type CursorPlace = "line-start" | "within-line" | "within-sequence";

/** The begin of an escape sequence: ESC, CSI and its parameters, or a string (OSC, DCS, …) without its end. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is about them
const OPEN_SEQUENCE = /\x1b(?:[ -/]*|\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?)$/;
const LONGEST_SEQUENCE = 4096;

/**
 * Looks at what was written last. Nothing may be written within an escape sequence or a character of several bytes: it
 * would be torn.
 */
export function placeAfter(data: Buffer, before: CursorPlace): CursorPlace {
  if (data.length === 0) return before;
  if (data.at(-1) === 0x0a) return "line-start";
  const tail = data.subarray(-LONGEST_SEQUENCE);
  if (OPEN_SEQUENCE.test(tail.toString("latin1")) || hasOpenCharacter(tail)) return "within-sequence";
  return "within-line";
}

/** UTF-8: a lead byte with fewer continuation bytes behind it than it announces (RFC 3629). */
function hasOpenCharacter(tail: Buffer): boolean {
  for (let back = 1; back <= Math.min(3, tail.length); back += 1) {
    const byte = tail[tail.length - back] ?? 0;
    if (byte < 0x80) return false;
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back;
  }
  return false;
}
