import { closeSync, lstatSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/**
 * The folder of one run: `out` and `err`, the raw output, whose consumed ranges are punched out while offsets never
 * move; and `run`, the journal. Three files and no more, since ext4 takes up to 1 ms to create one where many were
 * deleted lately. All are 0600.
 */
export type Stream = "stdout" | "stderr";
export const streams: readonly Stream[] = ["stdout", "stderr"];

export function streamPath(folder: string, stream: Stream): string {
  return join(folder, stream === "stdout" ? "out" : "err");
}

export function journalPath(folder: string): string {
  return join(folder, "run");
}

/**
 * Lays out a folder, with the journal's first line; empties an older spool. What an earlier program put in the folder's
 * place, such as a link to another one, goes. Throws what the file system throws.
 */
export function prepareSpool(folder: string, firstLine: string): void {
  if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === false) rmSync(folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const stream of streams) replace(streamPath(folder, stream), "");
  replace(journalPath(folder), firstLine);
}

// Not truncated: ext4 flushes a file that was, and a late writer to the old file must not reach the new one.
function replace(path: string, text: string): void {
  const file = createExclusively(path);
  if (text) writeSync(file, text);
  closeSync(file);
}

function createExclusively(path: string): number {
  try {
    return openSync(path, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    rmSync(path);
    return openSync(path, "wx", 0o600);
  }
}
