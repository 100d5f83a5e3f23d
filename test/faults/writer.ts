import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { LogStream } from "../../gen/signalman/v1/task_pb.ts";
import type { Follower } from "./follow.ts";

/**
 * Script of a template that writes lines of all lengths to both streams, each line first to a copy in the folder that is
 * its argument, until the file `stop` appears there; then it exits with 7.
 */
export const WRITER = {
  app: "python",
  allowOverrideArguments: true,
  allowParallelTasks: true,
  script: `
import os, sys, time
folder = sys.argv[1]
copies = [open(folder + "/copy.%d" % n, "ab", buffering=0) for n in (1, 2)]
def write(n, data):
    copies[n - 1].write(data)
    while data: data = data[os.write(n, data):]
i = 0
while not os.path.exists(folder + "/stop"):
    i += 1
    write(1, b"out %d " % i + b"x" * (i * 37 % 300) + b"\\n")
    if i % 3 == 0: write(2, b"err %d" % i + (b"\\n" if i % 2 else b""))
    if i % 500 == 0: write(1, b"y" * 40000 + b"\\n")
    time.sleep(0.002)
write(1, b"no newline at the end")
sys.exit(7)`,
};

/** End of the writer's task. */
export const WRITTEN = { status: "ERROR", reason: "EXIT_CODE", exitCode: 7 };

export const stopWriter = (folder: string) => writeFile(join(folder, "stop"), "");

/** Bytes that it has written to stdout so far. */
export const writtenSoFar = async (folder: string) => (await readFile(join(folder, "copy.1"))).length;

/** Expects that the log is, byte for byte, what the program wrote. */
export async function expectWhole(watcher: Follower, folder: string): Promise<void> {
  for (const [stream, copy] of [
    [LogStream.STDOUT, "copy.1"],
    [LogStream.STDERR, "copy.2"],
  ] as const) {
    expect(watcher.bytes(stream).equals(await readFile(join(folder, copy))), `${copy} of ${folder}`).toBe(
      true,
    );
  }
}
