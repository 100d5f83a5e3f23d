import { write } from "../output.ts";
import { trackCursor } from "./cursor.ts";
import { drawBelow, ERASE_BELOW } from "./status-line.ts";

/** Our two streams, and the status line if they end at a terminal. */
export interface Screen {
  /** Bytes of the task, as they are. */
  write(stream: NodeJS.WriteStream, data: Buffer): Promise<void>;
  /** A line of our own, on stderr, which begins at the beginning of a line. `style` wraps it on a terminal. */
  line(text: string, style?: (text: string) => string): Promise<void>;
  /** Draws the status line anew. */
  refresh(): void;
  /** Takes the status line away, for good. */
  close(): Promise<void>;
}

/**
 * @param status what the status line says, without escape codes other than colors, for so many columns; undefined: there
 * is none, since stderr is no terminal
 */
export function createScreen(stderr: NodeJS.WriteStream, status?: (columns: number) => string): Screen {
  /** Of the terminal; without one, of stderr. */
  const cursor = trackCursor();
  let isDrawn = false;
  let isClosed = false;

  function draw(): string {
    if (!status || isClosed || cursor.place === "within-sequence") return "";
    isDrawn = true;
    return drawBelow(status((stderr.columns || 80) - 1));
  }
  function erase(): string {
    if (!isDrawn) return "";
    isDrawn = false;
    return ERASE_BELOW;
  }
  /** The three go out together: nothing flickers and nothing comes between them. */
  function put(stream: NodeJS.WriteStream, data: Buffer): Promise<void> {
    if (!status) {
      if (stream === stderr) cursor.wrote(data);
      return write(stream, data);
    }
    if (!stream.isTTY) return write(stream, data);
    const before = erase();
    cursor.wrote(data);
    return write(stream, Buffer.concat([Buffer.from(before), data, Buffer.from(draw())]));
  }

  return {
    write: put,
    line(text, style = (same) => same) {
      const begin = cursor.place === "line-start" ? "" : "\n";
      return put(stderr, Buffer.from(`${begin}${stderr.isTTY ? style(text) : text}\n`));
    },
    refresh() {
      const text = draw();
      if (text) write(stderr, text).catch(() => {});
    },
    close() {
      isClosed = true;
      return write(stderr, erase());
    },
  };
}
