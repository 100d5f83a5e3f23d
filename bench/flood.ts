import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openTaskLog } from "../src/logs/task-log.ts";
import type { Chunk } from "../src/logs/types.ts";
import { compressed } from "../src/runner/logging.ts";
import { storeChunks } from "../src/store/logs/logs.ts";
import { openDatabase } from "../src/store/postgres/database.ts";
import { migrate } from "../src/store/postgres/migrate.ts";
import { projects } from "../src/store/schema/resources.ts";
import { createTask } from "../src/store/tasks/tasks.ts";
import { benchClient, type Seen } from "./client.ts";
import { type Row, ratio } from "./measure.ts";
import { applyScripts, type BenchServer } from "./server.ts";

const LINES = Number(process.env.BENCH_LINES ?? 2_000_000);
const LINE_BYTES = 90;
const MB = 1e6;

/** (b) Measures one task that floods, stored and watched by one client, beside storing ready-made chunks and reading a pipe. */
export async function benchFlood(server: BenchServer, { floorUrl }: { floorUrl: string }): Promise<Row[]> {
  const file = join(server.dataDir, "flood.txt");
  await writeFile(file, floodText(LINES));
  const pipe = await pipeRate(file);
  const chunks = await readyChunks(file);
  const before = await insertRate(floorUrl, chunks);
  const flood = await watchFlood(server, file);
  const after = await insertRate(floorUrl, chunks);
  const insert = (before + after) / 2;
  const lines = (rate: number) => rate * LINES;
  return [
    { part: "b", what: "reading the program's pipe", value: lines(pipe), unit: "lines/s" },
    { part: "b", what: "inserting ready-made chunks", value: lines(insert), unit: "lines/s" },
    {
      part: "b",
      what: "inserting ready-made chunks",
      value: (lines(insert) * LINE_BYTES) / MB,
      unit: "MB/s",
    },
    { part: "b", what: "stored and watched", value: lines(flood.rate), unit: "lines/s" },
    { part: "b", what: "stored and watched", value: (lines(flood.rate) * LINE_BYTES) / MB, unit: "MB/s" },
    { part: "b", what: "server CPU for each line", value: (flood.cpu / LINES) * 1e6, unit: "µs" },
    ratio("b", "stored and watched / chunk inserts", flood.rate / insert, "≥", 0.5),
    ratio("b", "server's highest memory", flood.peak, "≤", 300, "MB"),
  ];
}

/** Lines as programs write them: a time, a level, an id, words. */
export function floodText(lines: number): Buffer {
  const text = Buffer.allocUnsafe(lines * LINE_BYTES);
  for (let i = 0; i < lines; i++) {
    const id = ((i * 2_654_435_761) >>> 0).toString(16).padStart(8, "0");
    const line = `2026-11-23T20:${String(i % 60).padStart(2, "0")}:00Z INFO request ${id} handled in ${i % 997} ms by worker ${i % 16}`;
    text.write(`${line.padEnd(LINE_BYTES - 1).slice(0, LINE_BYTES - 1)}\n`, i * LINE_BYTES, "latin1");
  }
  return text;
}

/** Returns how many whole floods per second pass through a pipe whose reader does nothing else. */
async function pipeRate(file: string): Promise<number> {
  const start = performance.now();
  const child = spawn("cat", [file], { stdio: ["ignore", "pipe", "ignore"] });
  for await (const _ of child.stdout);
  return 1000 / (performance.now() - start);
}

/** Returns the chunks that a task's log makes of the flood, uncompressed. */
async function readyChunks(file: string): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  const log = openTaskLog({
    sink: { store: async (chunk) => void chunks.push(chunk) },
    lastSeq: 0,
    offsets: { stdout: 0, stderr: 0 },
    secrets: [],
  });
  const child = spawn("cat", [file], { stdio: ["ignore", "pipe", "ignore"] });
  let offset = 0;
  for await (const bytes of child.stdout as AsyncIterable<Buffer>) {
    await log.write("stdout", bytes, offset);
    offset += bytes.length;
  }
  const last = await log.end();
  return last ? [...chunks, last] : chunks;
}

/** Whole floods per second, compressed beforehand and stored by the statement that the server uses. */
async function insertRate(url: string, chunks: readonly Chunk[]): Promise<number> {
  await migrate(url);
  const database = openDatabase({ url, max: 1, name: "floor", deadlineMs: 60_000 });
  try {
    await database.run((db) =>
      db.insert(projects).values({ name: FLOOR_TASK.project, spec: {} }).onConflictDoNothing(),
    );
    const { task } = await createTask(database, FLOOR_TASK);
    const ready = chunks.map(compressed);
    const start = performance.now();
    for (const chunk of ready)
      await database.run((db) => storeChunks(db, { id: task.id, leaseEpoch: 0 }, [chunk]));
    return 1000 / (performance.now() - start);
  } finally {
    await database.close();
  }
}

const FLOOR_TASK = {
  project: "floor",
  template: "floor",
  app: "bash",
  priority: 50,
  labels: {},
  secrets: null,
  createdBy: "anonymous",
  spec: { message: "", variables: {}, secretNames: [], env: {}, arguments: [], gitBranch: "", commit: "" },
};

async function watchFlood(
  server: BenchServer,
  file: string,
): Promise<{ rate: number; cpu: number; peak: number }> {
  await applyScripts(server, { flood: `cat ${file}\n` });
  const client = benchClient(server.url);
  const before = server.usage();
  const { task } = await client.runTask({ template: "projects/bench/templates/flood" });
  let start = 0;
  let lines = 0;
  for await (const seen of client.countTask(task.name) as AsyncIterable<Seen>) {
    if (start === 0 && seen.lines > 0) start = performance.now();
    lines += seen.lines;
  }
  const seconds = (performance.now() - start) / 1000;
  if (lines < LINES) throw new Error(`Only ${lines} of ${LINES} lines arrived`);
  client.close();
  const after = server.usage();
  return { rate: 1 / seconds, cpu: after.cpu - before.cpu, peak: after.peak };
}
