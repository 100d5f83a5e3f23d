import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

export type LineOf = (line: string, stream: "stdout" | "stderr") => void;

export interface ReadOptions {
  /** Bytes to keep, counted from the end. */
  keep: number;
  onBytes(): void;
  onLine(line: string): void;
}

/** Longest line in characters; a longer one is passed on in pieces. */
const LINE_LENGTH = 16 * 1024;

/**
 * Reads a text stream as it arrives. Lines end with `\n`, or with `\r` as progress bars do. Empty lines are skipped.
 * The last line needs no terminator.
 */
export function readLines(stream: Readable | null | undefined, { keep, onBytes, onLine }: ReadOptions) {
  const decoder = new StringDecoder("utf8");
  const kept: Buffer[] = [];
  let size = 0;
  let isCut = false;
  let rest = "";
  const take = (text: string) => {
    const lines = `${rest}${text}`.split(/[\r\n]+/);
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") onLine(line);
    for (; rest.length > LINE_LENGTH; rest = rest.slice(LINE_LENGTH)) onLine(rest.slice(0, LINE_LENGTH));
  };
  stream?.on("data", (bytes: Buffer) => {
    onBytes();
    kept.push(bytes);
    size += bytes.length;
    // Drops the first piece once the others are enough, so that at most one piece too many is kept.
    for (let first = kept[0]; first && size - first.length >= keep && kept.length > 1; first = kept[0]) {
      size -= first.length;
      kept.shift();
      isCut = true;
    }
    take(decoder.write(bytes));
  });
  return {
    /** Passes on the last line and returns the kept bytes as text. To be called when the stream has ended. */
    end() {
      take(decoder.end());
      if (rest !== "") onLine(rest);
      return Buffer.concat(kept).subarray(-keep).toString("utf8");
    },
    isCut: () => isCut || size > keep,
  };
}
