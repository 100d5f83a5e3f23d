import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

/** Fills 128 MB of buffers, keeps every fiftieth, and prints the memory in MB once the others are collected. */
const PROGRAM = `
  const { setTimeout: delay } = await import("node:timers/promises");
  await import(process.argv[1]);
  let buffers = Array.from({ length: 2000 }, () => Buffer.allocUnsafeSlow(64 * 1024).fill(1));
  const before = process.memoryUsage.rss();
  buffers = buffers.filter((_, at) => at % 50 === 49);
  while (process.memoryUsage().arrayBuffers > 16 * 2 ** 20) {
    gc();
    await delay(10);
  }
  console.log((before - process.memoryUsage.rss()) / 2 ** 20, buffers.length);`;

function returnedMb(module: string): number {
  const args = ["--expose-gc", "--input-type=module", "--eval", PROGRAM, module];
  return Number.parseFloat(execFileSync(process.execPath, args, { encoding: "utf8" }));
}

test("a server returns the memory of freed buffers, although some between them are in use", () => {
  expect(returnedMb(new URL("../../bin/return-memory.js", import.meta.url).href)).toBeGreaterThan(100);
});
