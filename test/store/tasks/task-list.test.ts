import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDatabase } from "../../../src/store/postgres/database.ts";
import { readEvents, readOpenTasks } from "../../../src/store/tasks/events.ts";
import { EVERYTHING } from "../../../src/store/tasks/scopes.ts";
import { listTasks, selectPage, type TaskQuery } from "../../../src/store/tasks/task-list.ts";
import type { FixedTerm, TaskTerm } from "../../../src/store/tasks/task-terms.ts";
import { createTask } from "../../../src/store/tasks/tasks.ts";
import { newTask, openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeAll(async () => {
  store = await openStore();
  await store.makeProject(["t", "u"]);
  await store.makeProject(["t"], { name: "q" });
});
afterAll(() => store[Symbol.asyncDispose]());

const NEWEST: TaskQuery = {
  scopes: EVERYTHING,
  project: "q",
  terms: [],
  order: { by: "create_time", isDescending: true },
  after: null,
  limit: 100,
};
const list = async (query: Partial<TaskQuery>) =>
  (await listTasks(store.database, { ...NEWEST, ...query })).tasks;

describe("a list", () => {
  const made: { id: string; createTime: Date }[] = [];
  beforeAll(async () => {
    const LABELS: Record<string, string>[] = [{ a: "1", b: "x" }, { a: "1" }, {}];
    for (const labels of LABELS) {
      const { task } = await createTask(store.database, newTask("t", { project: "q", labels }));
      made.push(task);
    }
    await store.sql`UPDATE tasks SET status = 'SUCCESS', end_time = now() WHERE id = ${made[2]?.id ?? ""}`;
    await store.makeTask("t");
  });
  const numbers = (found: { id: string }[]) =>
    found.map(({ id }) => made.findIndex((task) => task.id === id));
  /** Resolves to those of the three tasks that match the terms, the newest first. */
  const matching = async (...terms: TaskTerm[]) => numbers(await list({ terms }));

  test("has the newest tasks first, of one project or of all, in pages", async () => {
    expect(await matching()).toEqual([2, 1, 0]);
    const { tasks, last } = await listTasks(store.database, { ...NEWEST, limit: 2 });
    expect(numbers(tasks)).toEqual([2, 1]);
    expect(numbers(await list({ after: last }))).toEqual([0]);
    const everywhere = await list({ project: null });
    expect(new Set(everywhere.map(({ project }) => project))).toEqual(new Set(["p", "q"]));
  });

  test("contains the tasks that match all terms", async () => {
    const status = (op: "=" | "!="): TaskTerm => ({ field: "status", op, value: "SUCCESS" });
    const label = (name: string, value: string): TaskTerm => ({ field: "label", key: name, value });
    expect(await matching(status("="))).toEqual([2]);
    expect(await matching(status("!="))).toEqual([1, 0]);
    expect(await matching(label("a", "1"))).toEqual([1, 0]);
    expect(await matching(label("a", "1"), label("b", "x"))).toEqual([0]);
    expect(await matching(label("b", "y"))).toEqual([]);
  });

  test("contains the tasks that were created before or after a time", async () => {
    const value = made[1]?.createTime ?? new Date();
    expect(await matching({ field: "create_time", op: "<", value })).toEqual([0]);
    expect(await matching({ field: "create_time", op: ">=", value })).toEqual([2, 1]);
    const ages = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"].map((time) => new Date(time));
    for (const [i, age] of ages.entries()) {
      expect(await matching({ field: "create_time", op: ">", value: age })).toEqual(i === 0 ? [2, 1, 0] : []);
      expect(await matching({ field: "create_time", op: "<=", value: age })).toEqual(
        i === 0 ? [] : [2, 1, 0],
      );
    }
  });

  test("finds a task by its time of creation as shown", async () => {
    const value = made[1]?.createTime ?? new Date();
    expect(await matching({ field: "create_time", op: "=", value })).toEqual([1]);
    expect(await matching({ field: "create_time", op: "<=", value })).toEqual([1, 0]);
    expect(await matching({ field: "create_time", op: ">", value })).toEqual([2]);
  });
});

describe("in twenty thousand tasks", () => {
  const COUNT = 20_000;
  beforeAll(async () => {
    await store.makeProject(["many"], { name: "many" });
    // A usual mix: most have succeeded, few have failed, some wait; many are started at the same time.
    await store.sql`
      INSERT INTO tasks (id, project, template, app, status, priority, labels, spec, create_time, start_time, end_time, end_reason)
      SELECT uuid_v7(at), CASE WHEN n % 100 = 0 THEN 'q' ELSE 'many' END, 't' || n % 7, 'bash', status, 50,
             CASE WHEN n % 5 = 0 THEN jsonb_build_object('team', 'x' || n % 4, 'build', (n / 10)::text) ELSE '{}' END,
             '{}', at, CASE WHEN status <> 'WAITING' THEN date_trunc('minute', at) + interval '1 minute' END,
             CASE WHEN status <> 'WAITING' THEN at + (n * 7919 % 977) * interval '1.000001 seconds' END,
             CASE WHEN status = 'ERROR' THEN 'LOST' END
      FROM (
        SELECT n, date_trunc('milliseconds', now()) - (${COUNT} - n) * interval '3 seconds' AS at,
               CASE WHEN n % 1000 = 3 THEN 'ERROR' WHEN n % 5000 = 4 THEN 'WAITING' ELSE 'SUCCESS' END AS status
        FROM generate_series(1, ${COUNT}) AS n) AS s`;
    await store.sql`INSERT INTO task_heads (task_id) SELECT id FROM tasks ON CONFLICT DO NOTHING`;
    await store.sql`ANALYZE`;
    // Tasks that the statistics do not include yet.
    await store.makeProject(["many"], { name: "a" });
    await store.sql`
      INSERT INTO tasks (id, project, template, app, status, priority, labels, spec, create_time, start_time, end_time)
      SELECT uuid_v7(at), 'a', 't' || n % 2, 'bash', 'SUCCESS', 50, '{}', '{}', at, at, at
      FROM (SELECT n, now() - n * interval '1 hour' AS at FROM generate_series(1, 5000) AS n) AS s`;
  });

  const by = (field: TaskQuery["order"]["by"], isDescending = true) => ({ by: field, isDescending });
  const middle = { micros: Date.now() * 1000 - 3e10, id: "00000000-0000-7000-8000-000000000000" };
  const label = (key: string, value: string): TaskTerm => ({ field: "label", key, value });
  /** Title, query, and the index that must be used. */
  const QUERIES: [string, Partial<TaskQuery>, RegExp][] = [
    ["the newest tasks", { project: null }, /Scan Backward using tasks_status /],
    ["the newest tasks of a project", { project: "many" }, /Scan Backward using tasks_project /],
    [
      "the tasks of a small project",
      { project: "q", order: by("create_time", false) },
      /Scan using tasks_project /,
    ],
    [
      "the tasks of a template",
      { project: "many", terms: [{ field: "template", op: "=", project: "many", value: "t3" }] },
      /using tasks_template /,
    ],
    [
      "the tasks of a template name in all projects",
      { project: null, terms: [{ field: "template", op: "=", project: null, value: "t3" }] },
      /using tasks_template /,
    ],
    ["the newest tasks of a project without statistics", { project: "a" }, /using tasks_project /],
    [
      "the last ended tasks of a template",
      {
        project: "a",
        order: by("end_time"),
        terms: [{ field: "template", op: "=", project: "a", value: "t1" }],
      },
      /using tasks_template_end_time /,
    ],
    [
      "the failed tasks",
      { project: null, terms: [{ field: "status", op: "=", value: "ERROR" }] },
      /using tasks_status /,
    ],
    [
      "the running tasks",
      { project: "many", terms: [{ field: "status", op: "=", value: "RUNNING" }] },
      /using tasks_project /,
    ],
    ["the tasks with a rare label", { project: "many", terms: [label("build", "77")] }, /on tasks_labels/],
    [
      "the tasks with a common label",
      { project: "many", terms: [label("team", "x0")] },
      /using tasks_project /,
    ],
    [
      "the tasks created before a time",
      { project: null, terms: [{ field: "create_time", op: "<", value: new Date(Date.now() - 3e7) }] },
      /using tasks_status [\s\S]*Index Cond: [^\n]*ROW\(status, id\) <[^=]/,
    ],
    [
      "the last ended tasks",
      { project: null, order: by("end_time") },
      /Backward using tasks_status_end_time /,
    ],
    [
      "the last ended tasks, on a later page",
      { project: "many", order: by("end_time"), after: middle },
      /using tasks_project_end_time [\s\S]*Index Cond: [^\n]*ROW\(project, status, end_time, id\) </,
    ],
    [
      "the first started tasks, on a later page",
      { project: null, order: by("start_time", false), after: middle },
      /using tasks_status_start_time [\s\S]*Index Cond: [^\n]*ROW\(status, start_time, id\) >/,
    ],
  ];

  /** Resolves to PostgreSQL's plan, with the number of rows that it read. */
  async function explain(query: TaskQuery): Promise<string> {
    const rows = await store.database.run((db) =>
      db.execute(sql`EXPLAIN (ANALYZE, TIMING OFF) ${selectPage(db, query).getSQL()}`),
    );
    return rows.map((row) => row["QUERY PLAN"]).join("\n");
  }

  test.each(QUERIES)(
    "%s are found by an index, and not all of them are read or sorted",
    async (_, query, index) => {
      const plan = await explain({ ...NEWEST, limit: 50, ...query });
      expect(plan).toMatch(index);
      expect(plan).not.toMatch(/Seq Scan on tasks/);
      const rows = [...plan.matchAll(/actual rows=(\d+)|Rows Removed by Filter: (\d+)/g)];
      for (const [, found = "0", removed = "0"] of rows) {
        expect(Number(found)).toBeLessThan(COUNT / 10);
        expect(Number(removed)).toBeLessThan(COUNT / 10);
      }
    },
  );
});

test("filters of many different forms leave no prepared statements on their connection", async () => {
  const database = openDatabase({ url: store.url, max: 1, name: "test", deadlineMs: 15_000 });
  const kept = async () => {
    const count = sql`SELECT count(*)::integer AS count FROM pg_prepared_statements WHERE statement LIKE '%labels%'`;
    return (await database.run((db) => db.execute<{ count: number }>(count)))[0]?.count;
  };
  const label: FixedTerm = { field: "label", key: "a", value: "1" };
  const selection = (terms: number) => ({
    scopes: EVERYTHING,
    project: "q",
    terms: Array<FixedTerm>(terms).fill(label),
  });
  for (let terms = 2; terms < 12; terms++) {
    await listTasks(database, { ...NEWEST, ...selection(terms) });
    await readOpenTasks(database, selection(terms), 0, { afterId: null, limit: 10 });
    await readEvents(database, { after: 0, to: 10 }, 10, selection(terms));
  }
  expect(await kept()).toBe(0);
  await database.close();
});
