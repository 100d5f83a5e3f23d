import { decodeChunk, type StoredLine } from "../../src/logs/read.ts";
import { patternsOf } from "../../src/logs/secret-patterns.ts";
import { openTaskLog } from "../../src/logs/task-log.ts";
import type { Chunk, ChunkSink, ProgramStream, TaskLog, TaskLogOptions } from "../../src/logs/types.ts";

/** A sink that keeps its chunks in order; `delay` may delay a call. */
export function memorySink(delay: (chunk: Chunk) => Promise<void> | void = () => {}): ChunkSink & {
  chunks: Chunk[];
} {
  const chunks: Chunk[] = [];
  return {
    chunks,
    async store(chunk) {
      chunks.push(chunk);
      await delay(chunk);
    },
  };
}

/** A sink whose calls wait until release() or fail(). */
export function heldSink() {
  const calls: { chunk: Chunk; resolve(): void; reject(error: unknown): void }[] = [];
  const store = (chunk: Chunk) =>
    new Promise<void>((resolve, reject) => {
      calls.push({ chunk, resolve, reject });
    });
  return { calls, store };
}

export function open(sink: ChunkSink, options: Partial<TaskLogOptions> = {}): TaskLog {
  return openTaskLog({ sink, lastSeq: 0, offsets: { stdout: 0, stderr: 0 }, secrets: [], ...options });
}

/** Returns a generator of numbers in [0, below), the same for the same seed (mulberry32). */
export function randomSource(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export function linesOf(chunks: readonly Chunk[]): StoredLine[] {
  return chunks.flatMap((chunk) => decodeChunk(chunk.data));
}

/** Returns the bytes of a stream, put together from its lines. */
export function joined(lines: readonly StoredLine[], stream: StoredLine["stream"]): Buffer {
  const own = lines.filter((line) => line.stream === stream);
  return Buffer.concat(
    own.flatMap((line) => (line.partial ? [line.content] : [line.content, Buffer.from("\n")])),
  );
}

/** Writes `bytes` in random pieces from `offset` on; `between` runs after each. */
export async function writeAll(
  log: TaskLog,
  stream: ProgramStream,
  bytes: Buffer,
  random: (below: number) => number,
  options: { offset?: number; longest?: number; between?: () => Promise<void> | void } = {},
): Promise<void> {
  const { offset = 0, longest = 300, between } = options;
  for (let at = offset; at < bytes.length; ) {
    const part = Buffer.from(bytes.subarray(at, at + 1 + random(longest)));
    await log.write(stream, part, at);
    at += part.length;
    part.fill(0); // the log must have copied it
    await between?.();
  }
}

/** Returns all chunks of a log: the stored ones and the last one. */
export async function endOf(log: TaskLog, sink: { chunks: Chunk[] }): Promise<Chunk[]> {
  const last = await log.end();
  return last === undefined ? sink.chunks : [...sink.chunks, last];
}

/** Slow reference of redaction: masks every occurrence of every pattern, overlapping ones as one `***`. */
export function redactSlowly(text: Buffer, secrets: readonly string[]): Buffer {
  const found: [number, number][] = [];
  for (const pattern of secrets.flatMap(patternsOf)) {
    for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + 1)) {
      found.push([at, at + pattern.length]);
    }
  }
  found.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  const parts: Buffer[] = [];
  let from = 0;
  let span: [number, number] | undefined;
  const close = () => {
    if (span === undefined) return;
    parts.push(text.subarray(from, span[0]), Buffer.from("***"));
    from = span[1];
  };
  for (const [start, end] of found) {
    if (span !== undefined && start < span[1]) span[1] = Math.max(span[1], end);
    else {
      close();
      span = [start, end];
    }
  }
  close();
  return Buffer.concat([...parts, text.subarray(from)]);
}
