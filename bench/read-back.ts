import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Database, openDatabase } from "../src/store/database.ts";
import { readChunks } from "../src/store/logs.ts";
import { benchClient, type Seen } from "./client.ts";
import { floodText } from "./flood.ts";
import { type Row, ratio } from "./measure.ts";
import { applyScripts, type BenchServer } from "./server.ts";

const PIECE = 1_000_000;
const LINES = Number(process.env.BENCH_READ_LINES ?? 12_000_000);
const LINE_BYTES = 90;
const MB = 1e6;
/** Chunks for each query, as the server reads them. */
const CHUNKS = 8;

/** (e) A stored gigabyte of log, read back by one client, beside reading its chunks from the database. */
export async function benchReadBack(
  server: BenchServer,
  { databaseUrl }: { databaseUrl: string },
): Promise<Row[]> {
  const file = join(server.dataDir, "gigabyte.txt");
  await writeFile(file, "");
  for (let made = 0; made < LINES; made += PIECE)
    await appendFile(file, floodText(Math.min(PIECE, LINES - made)));
  await applyScripts(server, { gigabyte: `cat ${file}\n` });
  const client = benchClient(server.url);
  const { task } = await client.runTask({ template: "projects/bench/templates/gigabyte" });
  await countLines(client, task.name);
  const peak = server.usage().peak;
  const database = openDatabase({ url: databaseUrl, max: 1, name: "floor", deadlineMs: 60_000 });
  const id = task.name.split("/").at(-1) ?? "";
  const before = await rawRate(database, id);
  const start = performance.now();
  const lines = await countLines(client, task.name);
  const ours = (lines * LINE_BYTES) / MB / ((performance.now() - start) / 1000);
  const raw = (before + (await rawRate(database, id))) / 2;
  await database.close();
  client.close();
  return [
    { part: "e", what: "reading its chunks from the database", value: raw, unit: "MB/s" },
    {
      part: "e",
      what: `${Math.round((lines * LINE_BYTES) / MB)} MB of stored log read back`,
      value: ours,
      unit: "MB/s",
    },
    { part: "e", what: "server's highest memory while it was written", value: peak, unit: "MB" },
    ratio("e", "read back / raw chunk reads", ours / raw, "≥", 0.5),
  ];
}

async function countLines(client: ReturnType<typeof benchClient>, name: string): Promise<number> {
  let lines = 0;
  for await (const seen of client.countTask(name) as AsyncIterable<Seen>) lines += seen.lines;
  if (lines < LINES) throw new Error(`Only ${lines} of ${LINES} lines arrived`);
  return lines;
}

/** MB of log a second, as they stand in the table: compressed. */
async function rawRate(database: Database, id: string): Promise<number> {
  const start = performance.now();
  let at = 0;
  for (;;) {
    const chunks = await readChunks(database, id, at + 1, Number.MAX_SAFE_INTEGER, CHUNKS);
    const last = chunks.at(-1);
    if (!last) break;
    at = last.lastSeq;
  }
  return (at * LINE_BYTES) / MB / ((performance.now() - start) / 1000);
}
