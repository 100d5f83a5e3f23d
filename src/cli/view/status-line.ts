/*
 * A line below the output, on a terminal where the output goes on in the middle of its own last line. Control sequences
 * of ECMA-48 and the VT100: IND (ESC D) goes down one line in the same column and scrolls at the bottom, so that there
 * always is a line below; DECSC and DECRC (ESC 7, ESC 8) keep column and colors of the output.
 */

/** Makes room below, writes the text there and comes back. The text must fit into one line. */
export function drawBelow(text: string): string {
  return `\x1bD\x1b[A\x1b7\x1b[B\r\x1b[0m\x1b[2K${text}\x1b[0m\x1b8`;
}

/** Empties the line below and comes back. */
export const ERASE_BELOW = "\x1b7\x1b[B\x1b[0m\x1b[2K\x1b8";
