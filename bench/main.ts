import { randomBytes } from "node:crypto";
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
import { benchIsolation } from "./isolation.ts";
import { benchLists } from "./lists.ts";
import { type Row, table } from "./measure.ts";
import { benchPages } from "./pages.ts";
import { benchReadBack } from "./read-back.ts";
import { startServer } from "./server.ts";
import { AT_ONCE, benchShortTasks } from "./short-tasks.ts";
import { benchTokens } from "./tokens.ts";

/*
 * `npm run bench [a] [b] …` measures the server in parts, one file each: a dispatch, b flood, c fanout, d short-tasks,
 * e read-back, f claims, g crowd, h lists, i pages, j tokens, k isolation. Without arguments all parts run.
 *
 * Each part measures a figure of the server beside a floor, which is the least that the same machine needs for the same work,
 * such as a bare spawn or a bare INSERT. Ratios of the two can be compared between machines; client, server and database
 * share this one. Every part has its own server process, so that memory and CPU are that part's alone.
 *
 * The table goes to stdout, ratios last; the same as JSON goes to bench/results/. A goal that is not reached is marked, but
 * the exit code stays 0: timings never fail a build.
 */

/** Key of all servers, which follow each other on one database. */
const SECRET_KEY = randomBytes(32).toString("base64");
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
  j: benchTokens,
  k: benchIsolation,
};
for (const [part, bench] of Object.entries(BENCHES)) {
  if (!wanted(part)) continue;
  process.stderr.write(`(${part}) …\n`);
  const settings = { SIGNALMAN_MAX_PARALLEL_TASKS: String(AT_ONCE), SIGNALMAN_SECRET_KEY: SECRET_KEY };
  await using server = await startServer({ DATABASE_URL: database.url, ...settings });
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
