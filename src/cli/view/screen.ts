import { write } from "../terminal/output.ts";
import { type CursorPlace, trackCursor } from "./cursor.ts";
import { drawBelow, ERASE_BELOW } from "./status-line.ts";

/** stdout and stderr of this program, with a status line if stderr is a terminal. */
export interface Screen {
  /** Writes bytes of the task unchanged. */
  write(stream: NodeJS.WriteStream, data: Buffer): Promise<void>;
  /** Writes a message to stderr, on a new line. `style` colors it on a terminal. */
  line(text: string, style?: (text: string) => string): Promise<void>;
  /** Redraws the status line. */
  refresh(): void;
  /** Removes the status line for good. */
  close(): Promise<void>;
}

/**
 * `status`: returns the text of the status line for a number of columns, without escape codes other than colors;
 * undefined: no status line, since stderr is no terminal
 */
export function createScreen(stderr: NodeJS.WriteStream, status?: (columns: number) => string): Screen {
  /** Cursor of the terminal; without a terminal, of stderr. */
  const cursor = trackCursor();
  const below = createLine(() => status?.((stderr.columns || 80) - 1));

  /** Writes output and the redrawn status line as one, so that nothing flickers and nothing is written between. */
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

/** State of the status line; returns the control sequences that draw and erase it. */
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
