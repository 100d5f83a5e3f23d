import { closeSync, fstatSync, readSync } from "node:fs";
import { openRegular, UnusableFileError } from "../files/regular-file.ts";
import { type Stream, streamPath } from "./spool.ts";

/** Returns the last bytes of a complete output, `most` at most; none if the output cannot be read. */
export async function readEnd(folder: string, stream: Stream, most: number): Promise<Buffer> {
  const fd = openOutput(streamPath(folder, stream));
  if (fd === undefined) return Buffer.alloc(0);
  try {
    const from = Math.max(0, fstatSync(fd).size - most);
    const end = Buffer.alloc(most);
    return end.subarray(0, readSync(fd, end, 0, most, from));
  } finally {
    closeSync(fd);
  }
}

function openOutput(path: string): number | undefined {
  try {
    return openRegular(path);
  } catch (error) {
    if (error instanceof UnusableFileError) return undefined;
    throw error;
  }
}
