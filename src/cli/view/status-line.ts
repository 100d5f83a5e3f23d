/*
 * Draws a line below the output, while the last line of the output may be unfinished. Control sequences of ECMA-48 and the
 * VT100: IND (ESC D) goes down one line in the same column and scrolls at the bottom, so that there
 * always is a line below; DECSC and DECRC (ESC 7, ESC 8) keep column and colors of the output.
 */

/** Makes room below the cursor, writes the text there and returns the cursor. The text must fit into one line. */
export function drawBelow(text: string): string {
  return `\x1bD\x1b[A\x1b7\x1b[B\r\x1b[0m\x1b[2K${text}\x1b[0m\x1b8`;
}

/** Erases the line below the cursor and returns the cursor. */
export const ERASE_BELOW = "\x1b7\x1b[B\x1b[0m\x1b[2K\x1b8";
