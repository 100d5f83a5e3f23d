/** `node bench/logs.ts` measures lines per second through src/logs alone, without a database or a server. */
import { randomBytes } from "node:crypto";
import { compress } from "../src/logs/compress.ts";
import { filterChunk } from "../src/logs/filter.ts";
import { iterateLines } from "../src/logs/read.ts";
import { openTaskLog } from "../src/logs/task-log.ts";
import type { Chunk, ChunkSink } from "../src/logs/types.ts";

const LINES = 2_000_000;
const LINE_BYTES = 90;
const WRITE_BYTES = 256 * 1024;
const SECRETS = [
  "hunter2!",
  "correct horse battery",
  "AKIAIOSFODNN7EXAMPLE",
  "tok_live_9f8e7d6c5b4a",
  "Pa$$ w0rd",
];

const nullSink: ChunkSink = { store: () => Promise.resolve() };
const zstdSink: ChunkSink = {
  store: async (chunk) => {
    compress(chunk.data);
  },
};

/** About a megabyte of plausible lines. `every`: one line in this many holds a secret; 0: none does. */
function block(every = 0): Buffer {
  const words = ["TASK", "ok:", "changed:", "[web-01]", "=>", "{item}", "installing", "package", "version"];
  const lines = Array.from({ length: 11_650 }, (_, i) => {
    const secret = every > 0 && i % every === 0 ? (SECRETS[i % SECRETS.length] as string) : "";
    const noise = randomBytes(6).toString("hex");
    const text = `2026-01-01T00:00:00 ${noise} ${secret} ${words.join(` ${i} `)}`;
    return text.padEnd(LINE_BYTES - 1, ".").slice(0, LINE_BYTES - 1);
  });
  return Buffer.from(`${lines.join("\n")}\n`);
}

async function push(bytes: Buffer, sink: ChunkSink, secrets: string[], write = WRITE_BYTES): Promise<number> {
  const log = openTaskLog({ sink, lastSeq: 0, offsets: { stdout: 0, stderr: 0 }, secrets });
  const started = performance.now();
  let offset = 0;
  while (log.lastSeq < LINES) {
    for (let at = 0; at < bytes.length; at += write) {
      const part = bytes.subarray(at, at + write);
      const room = log.write("stdout", part, offset);
      offset += part.length;
      if (room !== undefined) await room;
    }
  }
  await log.end();
  return (log.lastSeq / (performance.now() - started)) * 1000;
}

async function read(bytes: Buffer, use: (data: Buffer) => number): Promise<number> {
  const chunks: Chunk[] = [];
  const sink: ChunkSink = { store: async (chunk) => void chunks.push(chunk) };
  const log = openTaskLog({ sink, lastSeq: 0, offsets: { stdout: 0, stderr: 0 }, secrets: [] });
  await log.write("stdout", bytes, 0);
  await log.end();
  const started = performance.now();
  let lines = 0;
  while (lines < LINES) for (const chunk of chunks) lines += use(chunk.data);
  return (lines / (performance.now() - started)) * 1000;
}

async function report(name: string, run: () => Promise<number>): Promise<void> {
  await run();
  const best = Math.max(await run(), await run(), await run());
  console.log(`${name.padEnd(44)} ${Math.round(best).toLocaleString("en").padStart(12)} lines/s`);
}

const plain = block();
const key = randomBytes(2400).toString("base64").replace(/.{64}/g, "$&\n");
const kubeconfig = Array.from(
  { length: 200 },
  (_, i) => `  field-${i}: ${randomBytes(i % 40 === 0 ? 1500 : 12).toString("base64")}`,
);
const odd = new Set(["stderr", "system"] as const);
await report("null sink", () => push(plain, nullSink, []));
await report("null sink, writes of 4 KiB", () => push(plain, nullSink, [], 4096));
await report("null sink, 5 secrets, none occurs", () => push(plain, nullSink, SECRETS));
await report("null sink, 5 secrets and a key, none occurs", () => push(plain, nullSink, [...SECRETS, key]));
await report("null sink, a kubeconfig, none occurs", () => push(plain, nullSink, [kubeconfig.join("\n")]));
await report("null sink, 5 secrets, in 1 line of 10", () => push(block(10), nullSink, SECRETS));
await report("zstd", () => push(plain, zstdSink, []));
await report("zstd, 5 secrets, none occurs", () => push(plain, zstdSink, SECRETS));
await report("filterChunk by stream, none matches", () =>
  read(plain, (data) => filterChunk(data, { streams: odd })?.count ?? 712),
);
await report("iterateLines", () => read(plain, (data) => [...iterateLines(data)].length));
