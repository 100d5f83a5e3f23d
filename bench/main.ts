import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { startEmbeddedPostgres } from "../src/embedded/postgres.ts";
import { socketOptions } from "../src/embedded/socket-url.ts";
import { benchClaims } from "./claims.ts";
import { benchCrowd } from "./crowd.ts";
import { benchDispatch } from "./dispatch.ts";
import { benchFanout } from "./fanout.ts";
import { benchFlood } from "./flood.ts";
import { benchLists } from "./lists.ts";
import { type Row, table } from "./measure.ts";
import { benchPages } from "./pages.ts";
import { benchReadBack } from "./read-back.ts";
import { startServer } from "./server.ts";
import { AT_ONCE, benchShortTasks } from "./short-tasks.ts";

/*
 * `npm run bench [a|b|c …]`: floors and figures of the same run in one table, ratios last, JSON beside it in
 * bench/results/. Client, server and database share this machine. Timings decide nothing here: the exit code is 0.
 */

const RESULTS = fileURLToPath(new URL("./results", import.meta.url));
const parts = process.argv.slice(2);
const wanted = (part: string) => parts.length === 0 || parts.includes(part);

const folder = await mkdtemp(join(tmpdir(), "signalman-bench-pg-"));
await using database = await startEmbeddedPostgres(folder);
const rows: Row[] = [];
const places = { databaseUrl: database.url, floorUrl: await createDatabase(database.url, "floor") };
const BENCHES = {
  a: benchDispatch,
  b: benchFlood,
  c: benchFanout,
  d: benchShortTasks,
  e: benchReadBack,
  f: benchClaims,
  g: benchCrowd,
  h: benchLists,
  i: benchPages,
};
for (const [part, bench] of Object.entries(BENCHES)) {
  if (!wanted(part)) continue;
  process.stderr.write(`(${part}) …\n`);
  // A server of its own for each part: memory and CPU are its alone.
  const parallel = { SIGNALMAN_MAX_PARALLEL_TASKS: String(AT_ONCE) };
  await using server = await startServer({ DATABASE_URL: database.url, ...parallel });
  rows.push(...(await bench(server, places)));
}
const machine = {
  cpus: cpus().length,
  model: cpus()[0]?.model,
  memoryGB: Math.round(totalmem() / 1e9),
  node: process.version,
};
process.stdout.write(
  `${machine.cpus} × ${machine.model}, ${machine.memoryGB} GB, Node ${machine.node}\n${table(rows)}\n`,
);
await mkdir(RESULTS, { recursive: true });
await writeFile(
  join(RESULTS, `${new Date().toISOString().replaceAll(":", "-")}.json`),
  JSON.stringify({ machine, rows }, null, 2),
);
await database.stop();
await rm(folder, { recursive: true, force: true });

async function createDatabase(url: string, name: string): Promise<string> {
  const admin = postgres(url, { ...socketOptions(url), max: 1 });
  await admin.unsafe(`CREATE DATABASE ${name}`);
  await admin.end();
  const there = url.replace(/\/[^/]*$/, `/${name}`);
  return there;
}
