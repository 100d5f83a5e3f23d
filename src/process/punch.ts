import { spawn } from "node:child_process";
import { closeSync, fstatSync } from "node:fs";
import { openRegular } from "../files/regular-file.ts";
import { streamPath, streams } from "./spool.ts";

const everyBytes = 16 * 1024 * 1024;
const block = 4096;

/**
 * Frees the disk space of output that the caller has stored elsewhere: offsets below `committed` will not be read
 * again. Does nothing until 16 MiB can be freed. Keeps no state, since the file's allocated blocks tell what was
 * freed before. Size and offsets of the file stay. To be awaited before the next call. Never rejects: on a file
 * system without holes the space stays in use.
 */
export async function punch(folder: string, committed: { stdout: number; stderr: number }): Promise<void> {
  await Promise.all(streams.map((stream) => punchStream(streamPath(folder, stream), committed[stream])));
}

async function punchStream(path: string, committed: number): Promise<void> {
  const length = Math.floor(committed / block) * block;
  if (length === 0) return;
  const fd = openOrNone(path);
  if (fd === undefined) return;
  try {
    if (gain(fd, length) >= everyBytes) await punchHole(fd, length);
  } finally {
    closeSync(fd);
  }
}

/**
 * Returns a descriptor for fallocate, to which the path could lead to another file by then; undefined if the task has
 * replaced the file.
 */
function openOrNone(path: string): number | undefined {
  try {
    return openRegular(path);
  } catch {
    return undefined; // the task has replaced it
  }
}

/** Returns the number of bytes that the file occupies beyond those that are still needed. */
function gain(fd: number, committed: number): number {
  const { blocks, size } = fstatSync(fd);
  return blocks * 512 - (size - committed);
}

function punchHole(fd: number, length: number): Promise<void> {
  return new Promise((resolve) => {
    const args = ["--punch-hole", "--offset", "0", "--length", String(length), "/proc/self/fd/3"];
    const child = spawn("fallocate", args, { stdio: ["ignore", "ignore", "ignore", fd] });
    child.on("error", () => resolve());
    child.on("close", () => resolve());
  });
}
