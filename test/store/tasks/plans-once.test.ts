import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fillTasks } from "../../../bench/many-tasks.ts";
import { poolStore } from "../../../src/pool/store.ts";
import { changeProject } from "../../../src/store/catalog/catalog.ts";
import type { Database, Queryable } from "../../../src/store/postgres/database.ts";
import { type Databases, openDatabases } from "../../../src/store/postgres/databases.ts";
import { deleteTask } from "../../../src/store/tasks/deletions.ts";
import { declareLost } from "../../../src/store/tasks/expiry.ts";
import { killTemplate } from "../../../src/store/tasks/kills.ts";
import { openStore, type TestStore } from "../fixture.ts";

/*
 * Plans of the pools whose statements are planned once for all values: in a database with many tasks, none of them may
 * read all tasks.
 */

let store: TestStore;
let databases: Databases;
beforeAll(async () => {
  store = await openStore();
  await fillTasks(store.sql, 20_000);
  databases = openDatabases(store.url);
});
afterAll(async () => {
  await databases.close();
  await store[Symbol.asyncDispose]();
});

/** A pool whose transactions are rolled back; `look` is called before each of them. */
function undone(database: Database, look: (tx: Queryable) => Promise<void>): Database {
  const nothing = new Error("undone");
  const run: Database["run"] = async (work) => {
    let result: { value: Awaited<ReturnType<typeof work>> } | undefined;
    const all = database.run((db) =>
      db.transaction(async (tx) => {
        result = { value: await work(tx as unknown as Parameters<typeof work>[0]) };
        await look(tx);
        throw nothing;
      }),
    );
    await all.catch((error: unknown) => {
      if (error !== nothing) throw error;
    });
    if (!result) throw new Error("There is no result");
    return result.value;
  };
  return { ...database, run };
}

async function wholeReads(work: (control: Database) => Promise<unknown>): Promise<string[]> {
  const read: string[] = [];
  const control = undone(databases.control, async (tx) => {
    const rows = await tx.execute<{ relname: string }>(
      sql`SELECT relname FROM pg_stat_xact_user_tables WHERE seq_tup_read > 1000`,
    );
    read.push(...rows.map(({ relname }) => relname));
  });
  await work(control);
  return read.filter((table) => /^(tasks|task_heads|task_events|log_chunks.*)$/.test(table));
}

const rounds: Record<string, (control: Database) => Promise<unknown>> = {
  "what a pool does each second": async (control) => {
    const pool = poolStore({ ...databases, control }, randomUUID(), 60_000);
    await pool.tidyUp([]);
    await pool.claim(10, (found) => found.map(({ id }) => id));
    await pool.resume(10, []);
    await pool.renew([randomUUID()]);
    await pool.readKillRequests([randomUUID()]);
  },
  "what has lost its server": (control) => declareLost(control, randomUUID(), 60_000),
  "the start of a node": (control) => poolStore({ ...databases, control }, randomUUID(), 60_000).adopt(),
  "the end of all tasks of a template": (control) =>
    killTemplate(
      control,
      { project: "steady", name: "old" },
      { force: false, graceMs: () => 10_000, reason: "", by: "ada" },
    ),
};

test.each(Object.entries(rounds))("%s does not scan a table of tasks", async (_, work) => {
  expect(await wholeReads(work)).toEqual([]);
});

test("deleting a small project does not scan the logs of other projects", async () => {
  await store.sql`UPDATE tasks SET status = 'SUCCESS', end_time = now() WHERE project = 'small' AND end_time IS NULL`;
  await store.sql`
    INSERT INTO log_chunks (task_id, first_seq, last_seq, stdout_lines, stderr_lines, system_lines, data)
    SELECT id, 1, 1, 1, 0, 0, repeat('x', 500)::bytea FROM tasks WHERE create_time > now() - interval '20 hours'`;
  await store.sql`VACUUM ANALYZE log_chunks`;
  const place = { kind: "projects" as const, name: "small" };
  const writes = { put: [], remove: [place], force: true, isRehearsal: false };
  const read = await wholeReads((control) => changeProject(control, "small", [place], () => writes));
  expect(read).toEqual([]);
});

test("deleting a task locks only its own partition of the logs", async () => {
  const [task] =
    await store.sql`SELECT id, project FROM tasks WHERE status = 'SUCCESS' ORDER BY id DESC LIMIT 1`;
  const { id, project } = task as { id: string; project: string };
  const locked: string[] = [];
  const logs = undone(databases.logs, async (tx) => {
    const rows = await tx.execute<{ relname: string }>(sql`
      SELECT relname FROM pg_locks JOIN pg_class c ON c.oid = relation
      WHERE pid = pg_backend_pid() AND relkind = 'r' AND relname LIKE 'log_chunks%'`);
    locked.push(...rows.map(({ relname }) => relname));
  });
  for (let at = 0; at < 2; at++) await deleteTask(logs, { project, id });
  expect(new Set(locked).size).toBe(1);
});
