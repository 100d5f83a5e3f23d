import { write } from "../terminal/output.ts";
import { type CursorPlace, trackCursor } from "./cursor.ts";
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
  const below = createLine(() => status?.((stderr.columns || 80) - 1));

  /** What goes to the terminal goes out with the status line's moves: nothing flickers and nothing comes between. */
  function put(stream: NodeJS.WriteStream, data: Buffer): Promise<void> {
    const isSeen = status ? stream.isTTY : stream === stderr;
    if (!isSeen) return write(stream, data);
    const before = below.erase();
    cursor.wrote(data);
    return write(stream, Buffer.concat([Buffer.from(before), data, Buffer.from(below.draw(cursor.place))]));
  }

  return {
    write: put,
    line(text, style = (same) => same) {
      const begin = cursor.place === "line-start" ? "" : "\n";
      return put(stderr, Buffer.from(`${begin}${stderr.isTTY ? style(text) : text}\n`));
    },
    refresh() {
      const text = below.draw(cursor.place);
      if (text) write(stderr, text).catch(() => {});
    },
    close: () => write(stderr, below.close()),
  };
}

/** Makes what draws the status line and what takes it away. */
function createLine(status: () => string | undefined) {
  let state: "hidden" | "shown" | "closed" = "hidden";
  function erase(next: "hidden" | "closed" = "hidden"): string {
    const text = state === "shown" ? ERASE_BELOW : "";
    if (state !== "closed") state = next;
    return text;
  }
  return {
    draw(place: CursorPlace): string {
      const text = status();
      if (text === undefined || state === "closed" || place === "within-sequence") return "";
      state = "shown";
      return drawBelow(text);
    },
    erase: () => erase(),
    close: () => erase("closed"),
  };
}
