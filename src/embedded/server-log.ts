import { closeSync, readSync } from "node:fs";
import { rename, stat } from "node:fs/promises";
import { openRegular } from "../files/regular-file.ts";

const KEEP_BYTES = 10 * 1024 * 1024;
const TAIL_BYTES = 8 * 1024;
const TAIL_LINES = 15;

/**
 * Renames a log above 10 MiB to `<path>.1`; returns the size of the log then. Only while no PostgreSQL writes to it.
 */
export async function rotateLog(path: string): Promise<number> {
  const size = await sizeOf(path);
  if (size <= KEEP_BYTES) return size;
  await rename(path, `${path}.1`);
  return 0;
}

/** Returns the last lines of PostgreSQL's server log after byte `offset` of the file: 15 lines or 8 KiB at most. */
export async function tailOfLog(path: string, offset: number): Promise<string> {
  const size = await sizeOf(path);
  const start = Math.max(offset, size - TAIL_BYTES);
  if (start >= size) return "";
  // The folder may be removed at the same moment.
  const fd = openRegular(path);
  if (fd === undefined) return "";
  try {
    const end = Buffer.alloc(size - start);
    return lastLines(end.toString("utf8", 0, readSync(fd, end, 0, end.length, start)));
  } finally {
    closeSync(fd);
  }
}

export function lastLines(output: string): string {
  return output.trimEnd().split("\n").slice(-TAIL_LINES).join("\n");
}

function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.size,
    () => 0,
  );
}
