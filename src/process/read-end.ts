import { open } from "node:fs/promises";
import { type Stream, streamPath } from "./spool.ts";

/** The last bytes of an output that is complete; none, if there is no output. */
export async function readEnd(folder: string, stream: Stream, most: number): Promise<Buffer> {
  const file = await open(streamPath(folder, stream)).catch(() => undefined);
  if (!file) return Buffer.alloc(0);
  await using _ = file;
  const { size } = await file.stat();
  const { buffer, bytesRead } = await file.read(Buffer.alloc(most), 0, most, Math.max(0, size - most));
  return buffer.subarray(0, bytesRead);
}
