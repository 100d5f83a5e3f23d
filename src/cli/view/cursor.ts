/** Place where output has left the cursor of a terminal. */
export type CursorPlace = "line-start" | "within-line" | "within-sequence";

/** An unfinished escape sequence (ECMA-48): ESC, CSI with parameters, or a string (OSC, DCS, …) without its end. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters
const OPEN_SEQUENCE = /\x1b(?:[ -/]*|\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?)$/;
/** Longest sequence to wait for; anything longer is garbage. */
const LONGEST_SEQUENCE = 4096;

/** Follows output, so that no status line is drawn within an escape sequence or a character of several bytes. */
export function trackCursor() {
  let tail: Buffer = Buffer.alloc(0);
  let place: CursorPlace = "line-start";
  return {
    get place() {
      return place;
    },
    wrote(data: Buffer): void {
      if (data.length === 0) return;
      tail = place === "within-sequence" ? Buffer.concat([tail, data]) : data;
      tail = tail.subarray(-LONGEST_SEQUENCE);
      place = placeOf(tail);
    },
  };
}

function placeOf(tail: Buffer): CursorPlace {
  if (tail.at(-1) === 0x0a) return "line-start";
  if (OPEN_SEQUENCE.test(tail.toString("latin1")) || hasOpenCharacter(tail)) return "within-sequence";
  return "within-line";
}

/** Whether the text ends within a UTF-8 character (RFC 3629): a lead byte with fewer bytes after it than it announces. */
function hasOpenCharacter(tail: Buffer): boolean {
  for (let back = 1; back <= Math.min(3, tail.length); back += 1) {
    const byte = tail[tail.length - back] ?? 0;
    if (byte < 0x80) return false;
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back;
  }
  return false;
}
