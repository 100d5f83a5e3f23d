import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decompress } from "../src/logs/compress.ts";
import { readChunks } from "../src/store/logs/logs.ts";
import { type Database, openDatabase } from "../src/store/postgres/database.ts";
import { benchClient, type Seen } from "./client.ts";
import { floodText } from "./flood.ts";
import { type Row, ratio } from "./measure.ts";
import { applyScripts, type BenchServer } from "./server.ts";

const PIECE = 1_000_000;
const LINES = Number(process.env.BENCH_READ_LINES ?? 12_000_000);
const LINE_BYTES = 90;
const MB = 1e6;
/** Chunks per query: the most that the server reads at once. */
const CHUNKS = 32;

const WINDOW = 4 * 1024 * 1024;

/**
 * (e) Measures a stored gigabyte of log, read back by one client, beside reading its chunks from the database: compressed,
 * which is an eighth of the bytes, and decompressed, which is the least that every reader must do.
 */
export async function benchReadBack(
  server: BenchServer,
  { databaseUrl }: { databaseUrl: string },
): Promise<Row[]> {
  const file = join(server.dataDir, "gigabyte.txt");
  await writeFile(file, "");
  for (let made = 0; made < LINES; made += PIECE)
    await appendFile(file, floodText(Math.min(PIECE, LINES - made)));
  await applyScripts(server, { gigabyte: `cat ${file}\n` });
  const client = benchClient(server.url, { window: WINDOW });
  const { task } = await client.runTask({ template: "projects/bench/templates/gigabyte" });
  await countLines(client, task.name);
  const peak = server.usage().peak;
  const database = openDatabase({ url: databaseUrl, max: 1, name: "floor", deadlineMs: 60_000 });
  const id = task.name.split("/").at(-1) ?? "";
  const before = await rawRates(database, id);
  const start = performance.now();
  // The log is read twice, as for the floors.
  const lines = (await countLines(client, task.name)) + (await countLines(client, task.name));
  const served = (lines * LINE_BYTES) / MB / ((performance.now() - start) / 1000);
  const after = await rawRates(database, id);
  const stored = (before.stored + after.stored) / 2;
  const plain = (before.plain + after.plain) / 2;
  await database.close();
  client.close();
  return [
    { part: "e", what: "reading its chunks, compressed", value: stored, unit: "MB/s" },
    { part: "e", what: "reading its chunks and decompressing them", value: plain, unit: "MB/s" },
    {
      part: "e",
      what: `${Math.round(((lines / 2) * LINE_BYTES) / MB)} MB of stored log read back`,
      value: served,
      unit: "MB/s",
    },
    { part: "e", what: "server's highest memory while it was written", value: peak, unit: "MB" },
    {
      part: "e",
      what: "read back / compressed chunk reads",
      value: served / stored,
      unit: "times the floor",
    },
    ratio("e", "read back / raw chunk reads", served / plain, "≥", 0.5),
  ];
}

async function countLines(client: ReturnType<typeof benchClient>, name: string): Promise<number> {
  let lines = 0;
  for await (const seen of client.countTask(name) as AsyncIterable<Seen>) lines += seen.lines;
  if (lines < LINES) throw new Error(`Only ${lines} of ${LINES} lines arrived`);
  return lines;
}

async function rawRates(database: Database, id: string): Promise<{ stored: number; plain: number }> {
  return {
    stored: await rawRate(database, id, () => {}),
    plain: await rawRate(database, id, decompress),
  };
}

/** MB of log per second. */
async function rawRate(database: Database, id: string, use: (data: Buffer) => unknown): Promise<number> {
  const start = performance.now();
  let at = 0;
  for (;;) {
    const chunks = await readChunks(database, id, at + 1, Number.MAX_SAFE_INTEGER, CHUNKS);
    const last = chunks.at(-1);
    if (!last) break;
    for (const chunk of chunks) use(chunk.data);
    at = last.lastSeq;
  }
  return (at * LINE_BYTES) / MB / ((performance.now() - start) / 1000);
}
