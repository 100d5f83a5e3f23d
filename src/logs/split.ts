import type { StreamWindow } from "./window.ts";

/** Longer lines are split into pieces of this many bytes. */
export const LINE_BYTES = 16 * 1024;
const NEWLINE = 10;

/** Takes the line `bytes[start..end)`; false if there is no room for it. */
export type PutLine = (bytes: Buffer, start: number, end: number, partial: boolean) => boolean;

/**
 * Makes lines of what the window shows, except of its last, unterminated one (at most 16 KiB of it stay).
 * False: `put` refused a line; it and all after it are still in the window.
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

/** Makes a partial line of what is left. False as above. */
export function takeTail(window: StreamWindow, put: PutLine): boolean {
  if (window.taken === window.shown) return true;
  if (!put(window.bytes, window.taken, window.shown, true)) return false;
  window.taken = window.shown;
  return true;
}

function takePieces(window: StreamWindow, end: number, put: PutLine): boolean {
  while (end - window.taken > LINE_BYTES) {
    const cut = window.cutBefore(window.taken + LINE_BYTES);
    if (!put(window.bytes, window.taken, cut, true)) return false;
    window.taken = cut;
  }
  return true;
}
