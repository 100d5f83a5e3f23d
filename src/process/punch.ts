import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { streamPath, streams } from "./spool.ts";

const everyBytes = 16 * 1024 * 1024;
const block = 4096;

/**
 * Gives the disk back what the caller has committed elsewhere: offsets below `committed` will not be read again. Does
 * nothing until 16 MiB are to be gained, and remembers nothing: what a file occupies tells. Size and offsets stay.
 * Resolves when done (await it before calling again); never rejects, a file system without holes just stays full.
 */
export async function punch(folder: string, committed: { stdout: number; stderr: number }): Promise<void> {
  await Promise.all(
    streams.map(async (stream) => {
      const path = streamPath(folder, stream);
      const length = Math.floor(committed[stream] / block) * block;
      if (length > 0 && gain(path, length) >= everyBytes) await punchHole(path, length);
    }),
  );
}

/** Bytes on disk that nobody needs; 0 if the file is gone. */
function gain(path: string, committed: number): number {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat ? stat.blocks * 512 - (stat.size - committed) : 0;
}

function punchHole(path: string, length: number): Promise<void> {
  return new Promise((resolve) => {
    const args = ["--punch-hole", "--offset", "0", "--length", String(length), path];
    const child = spawn("fallocate", args, { stdio: "ignore" });
    child.on("error", () => resolve());
    child.on("close", () => resolve());
  });
}
