import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { admit } from "../../../src/pool/admission.ts";
import { changeProject } from "../../../src/store/catalog/catalog.ts";
import { declareLost } from "../../../src/store/tasks/expiry.ts";
import { requestKill } from "../../../src/store/tasks/kills.ts";
import { claim } from "../../../src/store/tasks/leases.ts";
import { adopt } from "../../../src/store/tasks/take-over.ts";
import { NODE, OTHER_NODE, openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeEach(async () => {
  store = await openStore();
});
afterEach(() => store[Symbol.asyncDispose]());

/** Returns the test's names of claimed tasks, in the order of the queue (priority, then age). */
const names = new Map<string, string>();
async function make(
  name: string,
  template: string,
  more: { priority?: number; project?: string } = {},
): Promise<void> {
  names.set(await store.makeTask(template, more), name);
}
async function claimed(slots: number, node = NODE): Promise<string> {
  const leases = await claim(store.database, node, slots, admit);
  return leases
    .map(({ id }) => names.get(id) ?? id)
    .sort()
    .join(" ");
}
const idOf = (name: string) => [...names].find(([, n]) => n === name)?.[0] ?? "";

test("a claim makes a task STARTING, owned by the node under a new epoch and a lease", async () => {
  await store.makeProject(["t"]);
  const id = await store.makeTask("t");
  expect(await claim(store.database, NODE, 5, admit)).toMatchObject([{ id, leaseEpoch: 1 }]);
  const row = await store.row(id);
  expect(row).toMatchObject({ status: "STARTING", node: NODE, leaseEpoch: 1 });
  const [{ left } = { left: 0 }] = await store.sql`
    SELECT extract(epoch FROM lease_expires - clock_timestamp())::float8 AS left FROM tasks`;
  expect(left).toBeGreaterThan(20);
  expect(left).toBeLessThanOrEqual(30);
  expect(await claim(store.database, NODE, 5, admit)).toEqual([]);
});

test("a node does not claim tasks of executors that it does not have", async () => {
  await store.makeProject(["t"]);
  const foreign = await store.makeTask("t");
  await store.sql`UPDATE tasks SET executor = 'cluster' WHERE id = ${foreign}`;
  const own = await store.makeTask("t");
  expect(await claim(store.database, NODE, 5, admit)).toMatchObject([{ id: own }]);
  expect(await claim(store.database, NODE, 5, admit, { executors: ["local", "cluster"], tags: [] })).toEqual(
    [],
  );
  await store.sql`UPDATE tasks SET status = 'WAITING', node = NULL, lease_expires = NULL WHERE id = ${own}`;
  expect(await claim(store.database, NODE, 5, admit, { executors: ["cluster"], tags: [] })).toMatchObject([
    { id: foreign },
  ]);
  const past = new Date(Date.now() - 100_000);
  await store.sql`UPDATE tasks SET status = 'RUNNING', lease_expires = ${past} WHERE id = ${foreign}`;
  expect((await adopt(store.database, NODE)).adopted).toEqual([]);
  expect(await declareLost(store.database, OTHER_NODE, 60_000)).toEqual([]);
});

test("higher priority is claimed first, then the older task", async () => {
  await store.makeProject(["t*", "u*"]);
  await make("old", "t");
  await make("older than high", "t");
  await make("high", "u", { priority: 90 });
  await make("low", "t", { priority: 1 });
  for (const next of ["high", "old", "older than high", "low", ""]) expect(await claimed(1)).toBe(next);
});

test("a template runs one task at a time unless it allows parallel ones", async () => {
  await store.makeProject(["one", "many*"]);
  for (const name of ["a1", "a2"]) await make(name, "one");
  for (const name of ["b1", "b2"]) await make(name, "many");
  expect(await claimed(9)).toBe("a1 b1 b2");
  expect(await claimed(9)).toBe("");
  await requestKill(
    store.database,
    { project: "p", id: idOf("a1") },
    { force: false, graceMs: () => 0, reason: "", by: "ada" },
  );
  expect(await claimed(9)).toBe("");
  await store.sql`UPDATE tasks SET status = 'STOPPED', end_time = now(), end_reason = 'LOST' WHERE id = ${idOf("a1")}`;
  expect(await claimed(9)).toBe("a2");
});

test("a project runs tasks up to its limit and does not hold up other projects", async () => {
  await store.makeProject(["t*", "u"], { limit: 2 });
  await store.makeProject(["t*"], { name: "q" });
  for (const name of ["p1", "p2", "p3"]) await make(name, "t", { priority: 99 });
  await make("q1", "t", { project: "q", priority: 1 });
  expect(await claimed(9)).toBe("p1 p2 q1");
  expect(await claimed(9)).toBe("");
});

test("any number of blocked tasks does not hold up the tasks behind them", async () => {
  await store.makeProject(["busy", "free"]);
  for (let i = 0; i < 30; i++) await make(`busy ${i}`, "busy", { priority: 99 });
  await make("free", "free", { priority: 1 });
  expect(await claimed(2)).toBe("busy 0 free");
});

test("concurrent claims of many servers take a task once, and limits hold over all servers", async () => {
  await store.makeProject(["t*", "one"], { limit: 7 });
  for (let i = 0; i < 20; i++) await make(`t${i}`, "t");
  for (let i = 0; i < 5; i++) await make(`one${i}`, "one", { priority: 60 });
  const claims = Array.from({ length: 8 }, (_, i) =>
    claim(store.database, i % 2 ? NODE : OTHER_NODE, 3, admit),
  );
  const ids = (await Promise.all(claims)).flat().map(({ id }) => names.get(id));
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toHaveLength(7);
  expect(ids.filter((name) => name?.startsWith("one"))).toEqual(["one0"]);
});

test("a claim that waited for another server's claim counts the tasks of that one", async () => {
  await store.makeProject(["one"]);
  for (const name of ["first", "second"]) await make(name, "one");
  const late = await store.sql.begin(async (tx) => {
    await tx`SELECT pg_advisory_xact_lock(5410252)`;
    const waiting = claimed(9);
    // Other test files have databases on the same PostgreSQL.
    const waits = () => store.sql`
      SELECT 1 FROM pg_locks JOIN pg_database ON database = pg_database.oid
      WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()`;
    await expect.poll(waits).toHaveLength(1);
    await tx`
      UPDATE tasks SET status = 'STARTING', node = ${OTHER_NODE}, lease_expires = now() + interval '30 s'
      WHERE id = ${idOf("second")}`;
    return { waiting };
  });
  expect(await late.waiting).toBe("");
});

test("a task that was killed while it waited never starts, also if kill and claim are concurrent", async () => {
  await store.makeProject(["t*"]);
  const ids = await Promise.all(Array.from({ length: 20 }, () => store.makeTask("t")));
  const kills = ids.map((id) =>
    requestKill(
      store.database,
      { project: "p", id },
      { force: false, graceMs: () => 0, reason: "", by: "ada" },
    ),
  );
  const [leases, outcomes] = await Promise.all([claim(store.database, NODE, 50, admit), Promise.all(kills)]);
  const started = new Set(leases.map(({ id }) => id));
  for (const { task, outcome } of outcomes) {
    expect(outcome).toBe(started.has(task.id) ? "KILL_REQUESTED" : "KILLED_BEFORE_START");
    expect(await store.events(task.id)).toEqual(
      started.has(task.id) ? ["WAITING", "STARTING", "STOPPING"] : ["WAITING", "STOPPED"],
    );
  }
  expect(await claim(store.database, NODE, 50, admit)).toEqual([]);
});

describe("a template that was deleted while its tasks wait", () => {
  test("does not keep them from being claimed; their run reports the error", async () => {
    await store.makeProject(["t"]);
    await make("a", "t");
    const remove = [{ kind: "templates", name: "t" }] as const;
    const pruning = changeProject(store.database, "p", [], () => ({ put: [], remove, isRehearsal: false }));
    await expect(pruning).rejects.toThrow(/has not ended/);
    await store.sql`DELETE FROM templates`;
    expect(await claimed(1)).toBe("a");
  });
});

test("tasks of a template that requires tags wait for a node that has all of them", async () => {
  await store.makeProject(["t", "u"]);
  await store.sql`UPDATE templates SET spec = spec || '{"nodeTags": ["gpu", "eu"]}' WHERE name = 't'`;
  const tagged = await store.makeTask("t");
  const plain = await store.makeTask("u");
  const claimed = async (...tags: string[]) =>
    (await claim(store.database, NODE, 5, admit, { executors: ["local"], tags })).map(({ id }) => id);
  expect(await claimed("gpu")).toEqual([plain]);
  expect(await claimed("eu", "gpu", "ssd")).toEqual([tagged]);
});
