import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { socketOptions } from "../src/embedded/socket-url.ts";
import { admit } from "../src/pool/admission.ts";
import { openDatabase } from "../src/store/postgres/database.ts";
import { migrate } from "../src/store/postgres/migrate.ts";
import { claim, release } from "../src/store/tasks/leases.ts";
import { percentile, type Row, ratio } from "./measure.ts";
import type { BenchServer } from "./server.ts";

const FEW = 100;
const MANY = 100_000;
const TEMPLATES = 20;
const ROUNDS = 200;
const SLOTS = 10;

/** (f) Measures a claim with few and with many tasks in the queue. */
export async function benchClaims(_: BenchServer, { floorUrl }: { floorUrl: string }): Promise<Row[]> {
  await migrate(floorUrl);
  const few = await claimMs(floorUrl, FEW);
  const many = await claimMs(floorUrl, MANY);
  return [
    { part: "f", what: `a claim with ${FEW} waiting, p50`, value: few, unit: "ms" },
    { part: "f", what: `a claim with ${MANY.toLocaleString("en")} waiting, p50`, value: many, unit: "ms" },
    ratio("f", `${MANY.toLocaleString("en")} waiting / ${FEW} waiting`, many / few, "≤", 2),
  ];
}

async function claimMs(url: string, waiting: number): Promise<number> {
  const sql = postgres(url, { ...socketOptions(url), max: 1 });
  const database = openDatabase({ url, max: 2, name: "claims", deadlineMs: 60_000 });
  await fillQueue(sql, waiting);
  const node = randomUUID();
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    const leases = await claim(database, node, SLOTS, admit);
    times.push(performance.now() - start);
    if (leases.length !== SLOTS) throw new Error(`Claimed ${leases.length} of ${SLOTS} tasks`);
    for (const lease of leases) await release(database, lease);
  }
  await database.close();
  await sql.end();
  return percentile(times, 50);
}

/** Replaces all tasks by waiting ones of templates that allow parallel runs. */
async function fillQueue(sql: postgres.Sql, count: number): Promise<void> {
  await sql`DELETE FROM tasks`;
  await sql`INSERT INTO projects (name, spec) VALUES ('claims', '{}') ON CONFLICT DO NOTHING`;
  await sql`
    INSERT INTO templates (project, name, spec)
    SELECT 'claims', 't' || n, '{"allowParallelTasks": true}' FROM generate_series(1, ${TEMPLATES}) n
    ON CONFLICT DO NOTHING`;
  await sql`
    WITH made AS (
      INSERT INTO tasks (id, project, template, app, status, priority, labels, spec, create_time)
      SELECT uuid_v7(clock_timestamp()), 'claims', 't' || (n % ${TEMPLATES} + 1), 'bash', 'WAITING', 50, '{}',
             '{"message": "", "variables": {}, "secretNames": [], "env": {}, "arguments": [], "gitBranch": "", "commit": ""}',
             clock_timestamp()
      FROM generate_series(1, ${count}) n RETURNING id)
    INSERT INTO task_heads (task_id) SELECT id FROM made`;
  await sql`VACUUM ANALYZE tasks`;
}
