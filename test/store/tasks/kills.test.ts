import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDatabase } from "../../../src/store/postgres/database.ts";
import { type KillRequest, requestKill } from "../../../src/store/tasks/kills.ts";
import { readProgress } from "../../../src/store/tasks/progress.ts";
import { finish } from "../../../src/store/tasks/transitions.ts";
import { FINAL } from "../../../src/task/status.ts";
import { chunk, openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeAll(async () => {
  store = await openStore();
  await store.makeProject(["t*"]);
});
afterAll(() => store[Symbol.asyncDispose]());

const kill = (id: string, request: Partial<KillRequest> = {}) =>
  requestKill(
    store.database,
    { project: "p", id },
    { force: false, graceMs: () => 10_000, reason: "", by: "ada", ...request },
  );
/** Resolves to the seconds from the request to its deadline. */
const grace = ({ killTime, killDeadline }: { killTime: Date | null; killDeadline: Date | null }) =>
  Math.round(((killDeadline?.getTime() ?? Number.NaN) - (killTime?.getTime() ?? 0)) / 1000);

test.each(["WAITING", "WAITING_CONFIRMATION"] as const)("a task in %s is stopped at once", async (status) => {
  const { id } = await store.makeTaskIn(status);
  const { task, outcome } = await kill(id, { reason: "not today" });
  expect(outcome).toBe("KILLED_BEFORE_START");
  expect(task).toMatchObject({
    status: "STOPPED",
    endReason: "STOPPED_BY_USER",
    endMessage: "Killed: not today",
    killBy: "ada",
  });
  expect(task.endTime).toBeInstanceOf(Date);
});

test.each(["STARTING", "RUNNING", "CONFIRMED"] as const)(
  "the request for a task in %s is recorded",
  async (status) => {
    const { id } = await store.makeTaskIn(status);
    const { task, outcome } = await kill(id, { graceMs: () => 30_000, reason: "enough" });
    expect(outcome).toBe("KILL_REQUESTED");
    expect(task).toMatchObject({ status: "STOPPING", killForce: false, killReason: "enough", endTime: null });
    expect(task.killBy).toBe("ada");
    expect(grace(task)).toBe(30);
    expect((await kill(id, { by: "bob" })).task.killBy).toBe("ada");
    const progress = await readProgress(store.database, id, 0);
    expect(progress?.events.at(-1)).toMatchObject({
      status: "STOPPING",
      by: "ada",
      message: "Killed: enough",
    });
  },
);

test.each(FINAL)("a task in %s is not changed", async (status) => {
  const { id } = await store.makeTaskIn(status);
  const { task, outcome } = await kill(id, { force: true });
  expect(outcome).toBe("ALREADY_FINAL");
  expect(task).toMatchObject({ status, killTime: null });
});

test("a repeated request can bring the deadline forward, never put it off, and keeps force", async () => {
  const { id } = await store.makeTaskIn("RUNNING");
  const first = await kill(id, { graceMs: () => 20_000 });
  const longer = await kill(id, { graceMs: () => 600_000 });
  expect(longer.outcome).toBe("ALREADY_STOPPING");
  expect(longer.task.killTime).toEqual(first.task.killTime);
  expect(grace(longer.task)).toBe(20);
  expect(grace((await kill(id, { graceMs: () => 5000 })).task)).toBe(5);
  const forced = await kill(id, { force: true });
  expect(forced.task.killForce).toBe(true);
  expect(grace(forced.task)).toBe(0);
  expect((await kill(id)).task).toMatchObject({ killForce: true, killDeadline: forced.task.killDeadline });
  expect(await store.events(id)).toEqual(["WAITING", "STOPPING"]);
});

test("of many concurrent callers exactly one is the first", async () => {
  const { id } = await store.makeTaskIn("RUNNING");
  const outcomes = (await Promise.all(Array.from({ length: 10 }, () => kill(id)))).map(
    ({ outcome }) => outcome,
  );
  expect(outcomes.filter((outcome) => outcome === "KILL_REQUESTED")).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome === "ALREADY_STOPPING")).toHaveLength(9);
  expect(await store.events(id)).toEqual(["WAITING", "STOPPING"]);
});

describe("a task that does not exist", () => {
  test("or belongs to another project is not found", async () => {
    const { id } = await store.makeTaskIn("RUNNING");
    const request = { force: false, graceMs: () => 0, reason: "", by: "ada" };
    const elsewhere = requestKill(store.database, { project: "q", id }, request);
    await expect(elsewhere).rejects.toThrow(`There is no projects/q/tasks/${id}`);
    expect((await store.row(id)).status).toBe("RUNNING");
  });
});

test("a concurrent kill and end do not deadlock", async () => {
  const { sql, url } = store;
  const database = openDatabase({ url, max: 2, name: "late", deadlineMs: 10_000 });
  const blocked = async () => {
    const rows =
      await sql`SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    return rows.length;
  };
  const { id, leaseEpoch } = await store.makeTaskIn("RUNNING");
  const outcome = { status: "ERROR", reason: "EXIT_CODE", exitCode: 1, signal: null, message: "" } as const;
  // Both come while a chunk of the log is being stored.
  const both = await sql.begin(async (tx) => {
    await tx`SELECT 1 FROM task_heads WHERE task_id = ${id} FOR UPDATE`;
    const ending = finish(database, { id, leaseEpoch }, outcome, { last: chunk(1, 3) });
    await expect.poll(blocked).toBe(1);
    const killing = requestKill(
      database,
      { project: "p", id },
      { force: false, graceMs: () => 0, reason: "", by: "ada" },
    );
    await expect.poll(blocked).toBe(2);
    return [ending, killing];
  });
  const results = await Promise.allSettled(both);
  await database.close();
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
});
