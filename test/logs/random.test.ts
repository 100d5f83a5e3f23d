import { expect, test } from "vitest";
import type { Chunk } from "../../src/logs/types.ts";
import { endOf, joined, linesOf, memorySink, open, randomSource, redactSlowly, writeAll } from "./support.ts";

type Random = (below: number) => number;
const SECRETS = [
  "hunter2",
  "abab",
  "babab",
  "é日本語",
  "line one\nab\nline three",
  "p@ss word&",
  "0123456789abcdef0123",
];

/** Bytes of every kind: text, invalid UTF-8, NUL, empty and long lines, whole secrets and parts of them. */
function randomStream(random: Random, secrets: readonly string[]): Buffer {
  const parts = Array.from({ length: random(120) }, () => {
    const secret = Buffer.from(secrets[random(Math.max(1, secrets.length))] ?? "none");
    const kinds = [
      () => Buffer.from("ab".repeat(random(6))),
      () => Buffer.from([random(256), 0, 0xff, random(256)]),
      () => Buffer.from("\n".repeat(1 + random(3))),
      () => Buffer.from("\r\n"),
      () => Buffer.alloc(random(20) === 0 ? random(40_000) : random(100), 32 + random(90)),
      () => secret,
      () => secret.subarray(0, random(secret.length)),
      () => secret.subarray(random(secret.length)),
      () => Buffer.from(secret.toString("base64")),
      () => Buffer.from(Buffer.concat([Buffer.from("u"), secret]).toString("base64")),
    ];
    return (kinds[random(kinds.length)] as () => Buffer)();
  });
  return Buffer.concat(parts);
}

interface Run {
  secrets: string[];
  raw: { stdout: Buffer; stderr: Buffer };
  chunks: Chunk[];
}

async function run(random: Random, secretCount: number): Promise<Run> {
  const secrets = SECRETS.toSorted(() => random(3) - 1).slice(0, secretCount);
  const raw = { stdout: randomStream(random, secrets), stderr: randomStream(random, secrets) };
  const sink = memorySink(() =>
    random(2) === 0 ? undefined : new Promise((resolve) => setImmediate(resolve)),
  );
  const log = open(sink, { secrets });
  const longest = [3, 200, 5000, 100_000][random(4)] as number;
  const between = () => (random(10) === 0 ? log.say("ours") : undefined);
  await Promise.all([
    writeAll(log, "stdout", raw.stdout, random, { longest, between }),
    writeAll(log, "stderr", raw.stderr, random, { longest, between }),
  ]);
  return { secrets, raw, chunks: await endOf(log, sink) };
}

test.each([0, 1, 3, 7])("streams are stored byte for byte, except their %d secrets", async (secretCount) => {
  for (let seed = 1; seed <= 60; seed++) {
    const { secrets, raw, chunks } = await run(randomSource(seed), secretCount);
    const lines = linesOf(chunks);
    expect(lines.map((line) => line.seq)).toEqual(lines.map((_, i) => i + 1));
    for (const stream of ["stdout", "stderr"] as const) {
      const wanted = redactSlowly(raw[stream], secrets);
      expect(joined(lines, stream).equals(wanted), `seed ${seed}, ${stream}`).toBe(true);
    }
    expect(chunks.at(-1)?.offsets ?? { stdout: 0, stderr: 0 }).toEqual({
      stdout: raw.stdout.length,
      stderr: raw.stderr.length,
    });
  }
});

test("the fields of a chunk agree with its lines", async () => {
  for (let seed = 100; seed <= 130; seed++) {
    let next = 1;
    for (const chunk of (await run(randomSource(seed), 2)).chunks) {
      const lines = linesOf([chunk]);
      expect(chunk.firstSeq).toBe(next);
      expect([chunk.firstSeq, chunk.lastSeq]).toEqual([lines[0]?.seq, lines.at(-1)?.seq]);
      for (const stream of ["stdout", "stderr", "system"] as const) {
        expect(chunk.counts[stream]).toBe(lines.filter((line) => line.stream === stream).length);
      }
      next = chunk.lastSeq + 1;
    }
  }
});

test("a log that is opened at any chunk's offsets gives the same rest", async () => {
  for (let seed = 200; seed <= 240; seed++) {
    const random = randomSource(seed);
    const { secrets, raw, chunks } = await run(random, seed % 5);
    for (const [i, chunk] of chunks.entries()) {
      const sink = memorySink();
      const log = open(sink, { secrets, lastSeq: chunk.lastSeq, offsets: chunk.offsets });
      for (const stream of ["stdout", "stderr"] as const) {
        await writeAll(log, stream, raw[stream], random, { offset: chunk.offsets[stream], longest: 4000 });
      }
      const again = linesOf(await endOf(log, sink));
      const before = linesOf(chunks.slice(0, i + 1));
      const rest = linesOf(chunks.slice(i + 1));
      expect(again.every((line, n) => line.seq === chunk.lastSeq + 1 + n)).toBe(true);
      for (const stream of ["stdout", "stderr"] as const) {
        expect(joined(again, stream).equals(joined(rest, stream)), `seed ${seed}, chunk ${i}`).toBe(true);
        const all = joined([...before, ...again], stream);
        expect(all.equals(redactSlowly(raw[stream], secrets))).toBe(true);
      }
    }
  }
});
