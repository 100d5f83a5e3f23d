import { closeSync, lstatSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/*
 * The folder of a run holds three files of mode 0600: `out` and `err`, the raw output, and `run`, the journal. Ranges
 * of the output that have been stored elsewhere are punched out, while offsets never move. There are no more files,
 * since ext4 takes up to 1 ms to create one where many were deleted lately.
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
 * Creates a run's folder with an empty spool and the journal's first lines, in place of an older spool. A file or link
 * that an earlier program put in the folder's place is removed.
 * @throws the file system's error
 */
export function prepareSpool(folder: string, firstLines: string): void {
  if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === false) rmSync(folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const stream of streams) replace(streamPath(folder, stream), "");
  replace(journalPath(folder), firstLines);
}

// Creates a new file instead of truncating the old one: ext4 flushes truncated files, and a late writer to the old
// file must not reach the new one.
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
