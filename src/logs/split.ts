import type { StreamWindow } from "./window.ts";

/**
 * Longest line in bytes. Longer lines are split into pieces of this size, or up to 3 bytes fewer, so that no UTF-8
 * character is cut.
 */
export const LINE_BYTES = 16 * 1024;
const NEWLINE = 10;

/** Takes the line `bytes[start..end)`; returns false if there is no room for it. */
export type PutLine = (bytes: Buffer, start: number, end: number, partial: boolean) => boolean;

/**
 * Makes lines of the redacted bytes of a window, except its last, unterminated line, of which at most 16 KiB stay.
 * Returns false if `put` refused a line, which then stays in the window with all after it.
 */
export function takeLines(window: StreamWindow, put: PutLine): boolean {
  const { bytes, shown } = window;
  const view = bytes.subarray(0, shown);
  while (window.taken < shown) {
    const newline = view.indexOf(NEWLINE, window.taken);
    if (!takePieces(window, newline < 0 ? shown : newline, put)) return false;
    if (newline < 0) return true;
    if (!put(bytes, window.taken, newline, false)) return false;
    window.taken = newline + 1;
  }
  return true;
}

/** Makes a partial line of the redacted bytes that are left. Returns false if `put` refused it. */
export function takeTail(window: StreamWindow, put: PutLine): boolean {
  if (window.taken === window.shown) return true;
  if (!put(window.bytes, window.taken, window.shown, true)) return false;
  window.taken = window.shown;
  return true;
}

/**
 * Makes a partial line of text that has waited. The beginning of a UTF-8 character at its end stays, since the rest
 * may come. If nothing else is there, it has waited alone and is taken too. Returns false if `put` refused the line.
 */
export function takePrompt(window: StreamWindow, put: PutLine): boolean {
  const { bytes, taken, shown } = window;
  if (taken === shown) return true;
  const whole = characterStart(bytes, shown);
  const cut = whole > taken ? whole : shown;
  if (!put(bytes, taken, cut, true)) return false;
  window.taken = cut;
  return true;
}

/** Returns the start of the UTF-8 character that a cut at `at` would split; `at` itself if it splits none. */
function characterStart(bytes: Buffer, at: number): number {
  for (let start = at - 1; start >= Math.max(0, at - 3); start--) {
    const byte = bytes[start] as number;
    if (byte < 0x80) return at;
    if (byte < 0xc0) continue;
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return start + length > at ? start : at;
  }
  return at;
}

function takePieces(window: StreamWindow, end: number, put: PutLine): boolean {
  while (end - window.taken > LINE_BYTES) {
    const cut = window.cutBefore(characterStart(window.bytes, window.taken + LINE_BYTES));
    if (!put(window.bytes, window.taken, cut, true)) return false;
    window.taken = cut;
  }
  return true;
}
