import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

export type LineOf = (line: string, stream: "stdout" | "stderr") => void;

export interface ReadOptions {
  /** Bytes to keep, the last ones. */
  keep: number;
  onBytes(): void;
  onLine(line: string): void;
}

/** Characters of a line before it comes in pieces. */
const LINE_LENGTH = 16 * 1024;

/**
 * Reads a stream of text as it comes: lines end with `\n`, or with `\r` as progress does; empty ones are passed over.
 * The last one needs no end.
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
    // The first piece goes once the others are enough: never more than one piece too many.
    for (let first = kept[0]; first && size - first.length >= keep && kept.length > 1; first = kept[0]) {
      size -= first.length;
      kept.shift();
      isCut = true;
    }
    take(decoder.write(bytes));
  });
  return {
    /** Nothing more will come: gives out the last line, and returns what was kept. */
    end() {
      take(decoder.end());
      if (rest !== "") onLine(rest);
      return Buffer.concat(kept).subarray(-keep).toString("utf8");
    },
    isCut: () => isCut || size > keep,
  };
}
