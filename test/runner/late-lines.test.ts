import { randomBytes } from "node:crypto";
import { pino } from "pino";
import { expect, test } from "vitest";
import type { Executor, Leftovers } from "../../src/jobs/executors/executor.ts";
import type { Job, Output, Program } from "../../src/jobs/job.ts";
import { runContext } from "../../src/keys/access-key.ts";
import { createCipher } from "../../src/keys/cipher.ts";
import { decompress } from "../../src/logs/compress.ts";
import { decodeChunk } from "../../src/logs/read.ts";
import type { TaskDetails } from "../../src/runner/details.ts";
import { createKeepLateLines, type LateLinesDeps, withLateLines } from "../../src/runner/late-lines.ts";
import type { LateTask } from "../../src/store/logs/late.ts";
import type { StoredChunk } from "../../src/store/logs/logs.ts";

const ID = "01a20a8f-a03f-4f1e-aba5-29fd1ad73196";
const cipher = createCipher([randomBytes(32)]);

/** A LOST task whose program prints these pieces, all of them after the stored offset of 10 bytes. */
function lostTask(pieces: Iterable<Buffer>, more: Partial<Job<TaskDetails>> = {}) {
  const order: string[] = [];
  const stored: StoredChunk[] = [];
  const shutdown = new AbortController();
  const program = {
    kill: ({ graceMs }: { graceMs: number }) => void order.push(`kill ${graceMs}`),
    ended: Promise.resolve(),
    async *output(from: { stdout: number }, signal: AbortSignal): AsyncGenerator<Output> {
      let offset = from.stdout;
      for (const bytes of pieces) {
        if (signal.aborted) return;
        yield { stream: "stdout", bytes, offset };
        offset += bytes.length;
      }
    },
  } as unknown as Program;
  const job = { attach: async () => program, kept: async () => undefined, ...more } as Job<TaskDetails>;
  const deps: LateLinesDeps = {
    store: {
      readLateTasks: async (ids) =>
        ids.includes(ID)
          ? [{ task: { id: ID, executor: "local" }, head: { stdoutOffset: 10, stderrOffset: 0 } } as LateTask]
          : [],
      async storeLateChunks(id, chunks) {
        order.push(`store ${id}`);
        stored.push(...chunks);
      },
    },
    executors: { local: { createJob: () => job } as unknown as Executor<TaskDetails> },
    cipher,
    logger: pino({ enabled: false }),
    shutdown: shutdown.signal,
  };
  const text = () =>
    stored
      .flatMap(({ data }) => decodeChunk(decompress(data)))
      .map(({ content, partial }) => `${Buffer.from(content)}${partial ? "" : "\n"}`)
      .join("");
  return { keep: createKeepLateLines(deps), order, stored, text, shutdown, deps };
}

test("the program is killed before its output is read, and secrets are masked, also across pieces", async () => {
  const sealed = cipher.seal(JSON.stringify({ values: ["hunter2-hunter2"], variables: {} }), runContext(ID));
  const pieces = ["a\nhunter2-", "hunter2\nb"].map((text) => Buffer.from(text));
  const { keep, order, text } = lostTask(pieces, { kept: async () => sealed });
  expect(await keep([ID])).toBe(true);
  expect(order).toEqual(["kill 0", `store ${ID}`]);
  expect(text()).toBe("a\n***\nb");
});

test("at most 16 MiB are kept, and no beginning of a secret at the cut", async () => {
  const secret = "s".repeat(100_000);
  const sealed = cipher.seal(JSON.stringify({ values: [secret], variables: {} }), runContext(ID));
  const line = Buffer.from(`${"x".repeat(99)}\n`.repeat(2600));
  function* pieces() {
    for (let i = 0; i < 200; i++) {
      yield Buffer.from(line);
      yield Buffer.from(secret.slice(0, 60_000));
      yield Buffer.from(secret.slice(60_000));
    }
  }
  const { keep, text } = lostTask(pieces(), { kept: async () => sealed });
  await keep([ID]);
  const kept = text();
  expect(kept).toMatch(/\nThe rest is left out: at most 16 MiB of late lines are kept\n$/);
  expect(kept.length).toBeGreaterThan(12 * 1024 * 1024);
  expect(kept.length).toBeLessThan(17 * 1024 * 1024);
  expect(kept).not.toContain("ss");
});

test("nothing is stored if the secrets cannot be read", async () => {
  const kept = async () => Buffer.from("torn");
  const { keep, order } = lostTask([Buffer.from("hunter2\n")], { kept });
  expect(await keep([ID])).toBe(true);
  expect(order).toEqual(["kill 0"]);
});

test("a task whose program never started has no late lines", async () => {
  const { keep, order } = lostTask([], { attach: async () => undefined });
  expect(await keep([ID])).toBe(true);
  expect(order).toEqual([]);
});

test("folders stay for the next server if this one shuts down before their lines are stored", async () => {
  const cleared: string[] = [];
  const leftovers: Leftovers = {
    list: async () => [ID, "other"],
    clear: async (ids) => void cleared.push(...ids),
    clearAllBut: async (kept) => void cleared.push(`all but ${kept}`),
  };
  const { keep, shutdown, stored } = lostTask([Buffer.from("late\n")]);
  const careful = withLateLines(leftovers, keep);
  await careful.clearAllBut(["other"]);
  expect(cleared).toEqual(["all but other"]);
  expect(stored).toHaveLength(1);
  shutdown.abort(new Error("shutdown"));
  await careful.clear([ID]);
  await careful.clearAllBut([]);
  expect(cleared).toEqual(["all but other"]);
});
