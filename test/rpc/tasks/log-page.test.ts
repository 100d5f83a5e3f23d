import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { LogFormat, ReadTaskLogRequestSchema } from "../../../gen/signalman/v1/task_service_pb.ts";
import { compress } from "../../../src/logs/compress.ts";
import { openTaskLog } from "../../../src/logs/task-log.ts";
import type { Chunk } from "../../../src/logs/types.ts";
import { type ReadTaskLogDeps, readTaskLog } from "../../../src/rpc/tasks/read-task-log.ts";

/** Creates a stored log of so many lines of 99 characters, and counts the chunks that are read. */
async function storedLog(lines: number) {
  const chunks: Chunk[] = [];
  const sink = { store: async (chunk: Chunk) => void chunks.push(chunk) };
  const log = openTaskLog({ sink, lastSeq: 0, offsets: { stdout: 0, stderr: 0 }, secrets: [] });
  await log.write("stdout", Buffer.from(`${"x".repeat(99)}\n`.repeat(lines)), 0);
  const last = await log.end();
  if (last) chunks.push(last);
  const read = { chunks: 0 };
  const deps = {
    getTask: async () => ({ id: "t", lastSeq: lines, status: "SUCCESS" }),
    findTail: async () => undefined,
    async readChunks(_: string, fromSeq: number, toSeq: number, limit: number) {
      const wanted = chunks.filter((c) => c.lastSeq >= fromSeq && c.firstSeq <= toSeq).slice(0, limit);
      read.chunks += wanted.length;
      return wanted.map((chunk) => ({ ...chunk, data: compress(chunk.data) }));
    },
  } as unknown as ReadTaskLogDeps;
  return { deps, read, chunks };
}

test("a page reads only the chunks that hold its lines", async () => {
  const { deps, read, chunks } = await storedLog(100_000);
  const request = create(ReadTaskLogRequestSchema, {
    name: "projects/p/tasks/t",
    maxLines: 1000,
    format: LogFormat.TEXT,
    start: { case: "afterSeq", value: 50_000n },
  });
  const page = await readTaskLog(deps, request, { isJson: true });
  expect(page.text).toHaveLength(100_000);
  const holding = chunks.filter((chunk) => chunk.lastSeq > 50_000 && chunk.firstSeq <= 51_000);
  expect(read.chunks).toBe(holding.length);
});

test("a page of large lines ends at 1 MiB of JSON", async () => {
  const { deps } = await storedLog(30_000);
  const request = create(ReadTaskLogRequestSchema, { name: "projects/p/tasks/t", maxLines: 30_000 });
  const page = await readTaskLog(deps, request, { isJson: true });
  expect(page.lines.length).toBeGreaterThan(7000);
  expect(page.lines.length).toBeLessThan((1024 * 1024) / 100);
  expect(page).toMatchObject({ nextAfterSeq: page.lines.at(-1)?.seq, complete: false });
});
