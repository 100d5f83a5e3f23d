import { sql as drizzleSql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readChunks } from "../../../src/store/logs/logs.ts";
import { readProgress } from "../../../src/store/tasks/progress.ts";
import { finish, markRunning, transition, underLease } from "../../../src/store/tasks/transitions.ts";
import { LeaseLostError } from "../../../src/task/errors.ts";
import { FINAL, STATUSES, type Status, TRANSITIONS } from "../../../src/task/status.ts";
import type { TaskOutcome } from "../../../src/task/types.ts";
import { chunk, openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeAll(async () => {
  store = await openStore();
  await store.makeProject(["t"]);
});
afterAll(() => store[Symbol.asyncDispose]());

const OUTCOME: TaskOutcome = { status: "SUCCESS", reason: null, exitCode: 0, signal: null, message: "" };
const FAILED: TaskOutcome = {
  ...OUTCOME,
  status: "ERROR",
  reason: "EXIT_CODE",
  exitCode: 3,
  message: "It failed",
};
const specOf = async (id: string) => (await store.row(id)).spec;

describe("the status table", () => {
  /** Columns that the constraints of a status require. */
  const needed = (to: Status) => (to === "STOPPED" || to === "ERROR" ? { endReason: "LOST" as const } : {});

  test.each(STATUSES)("is obeyed from %s: the moves in it are made, all others are refused", async (from) => {
    const allowed: readonly Status[] = TRANSITIONS[from];
    for (const to of STATUSES) {
      const lease = await store.makeTaskIn(from);
      const changed = await store.database.run((db) =>
        transition(db, { to, where: underLease(lease), set: needed(to) }),
      );
      expect(changed, `${from} → ${to}`).toMatchObject(allowed.includes(to) ? [lease] : []);
      expect((await store.row(lease.id)).status).toBe(allowed.includes(to) ? to : from);
      expect(await store.events(lease.id)).toEqual(allowed.includes(to) ? ["WAITING", to] : ["WAITING"]);
    }
  });

  test("is checked by the database: a final status has an end, a success no reason, an owned task an owner", async () => {
    const { id } = await store.makeTaskIn("RUNNING");
    const update = (set: string) => store.sql.unsafe(`UPDATE tasks SET ${set} WHERE id = '${id}'`);
    await expect(update("status = 'SUCCESS'")).rejects.toThrow(/tasks_ended/);
    await expect(update("end_time = now()")).rejects.toThrow(/tasks_ended/);
    await expect(update("status = 'ERROR', end_time = now()")).rejects.toThrow(/tasks_success/);
    await expect(update("status = 'SUCCESS', end_time = now(), end_reason = 'LOST'")).rejects.toThrow(
      /tasks_success/,
    );
    await expect(update("node = NULL")).rejects.toThrow(/tasks_owned/);
    await expect(update("status = 'GONE'")).rejects.toThrow(/tasks_status/);
    await expect(update("end_reason = 'WHIM'")).rejects.toThrow(/tasks_end_reason/);
  });
});

test("a move under an old epoch moves nothing", async () => {
  const { id } = await store.makeTaskIn("RUNNING", { lease_epoch: 2 });
  const old = underLease({ id, leaseEpoch: 1 });
  const changed = await store.database.run((db) => transition(db, { to: "SUCCESS", where: old }));
  expect(changed).toEqual([]);
  expect((await store.row(id)).status).toBe("RUNNING");
});

test("of twenty concurrent moves of a task exactly one is made, with one event", async () => {
  const lease = await store.makeTaskIn("RUNNING");
  const moves = Array.from({ length: 20 }, () =>
    store.database.run((db) => transition(db, { to: "SUCCESS", where: underLease(lease) })),
  );
  expect((await Promise.all(moves)).flat()).toMatchObject([lease]);
  expect(await store.events(lease.id)).toEqual(["WAITING", "SUCCESS"]);
});

test("events are numbered from 1 without gaps, and each has its place among the lines", async () => {
  const lease = await store.makeTaskIn("STARTING");
  await markRunning(store.database, { ...lease, spec: await specOf(lease.id) }, "a boot");
  await finish(store.database, lease, OUTCOME, { last: chunk(1, 7) });
  const progress = await readProgress(store.database, lease.id, 0);
  expect(progress?.events.map(({ ordinal, status, afterSeq }) => [ordinal, status, afterSeq])).toEqual([
    [1, "WAITING", 0],
    [2, "RUNNING", 0],
    [3, "SUCCESS", 7],
  ]);
  expect(progress).toMatchObject({ status: "SUCCESS", lastSeq: 7 });
  expect((await readProgress(store.database, lease.id, 2))?.events).toHaveLength(1);
  expect(await readProgress(store.database, lease.id, 3)).toMatchObject({ events: [], lastSeq: 7 });
});

test("an end is recorded with any characters in its message", async () => {
  const lease = await store.makeTaskIn("RUNNING");
  const said = { ...FAILED, message: "NUL \0, half of a pair \ud800, \u{1f512}" };
  expect(await finish(store.database, lease, said)).toMatchObject({ applied: true });
  expect((await store.row(lease.id)).endMessage).toBe("NUL \ufffd, half of a pair \ufffd, \u{1f512}");
});

describe("markRunning", () => {
  test("sets the start time and the deadline that counts from it", async () => {
    const lease = await store.makeTaskIn("STARTING");
    const spec = { ...(await specOf(lease.id)), runTimeoutMs: 90_000 };
    expect(await markRunning(store.database, { ...lease, spec }, "a boot")).toBe(true);
    const { startTime, runDeadline } = await store.row(lease.id);
    expect(Math.round(((runDeadline?.getTime() ?? 0) - (startTime?.getTime() ?? 0)) / 1000)).toBe(90);
  });

  test("resolves to false after a kill, and to true again if it is repeated", async () => {
    const stopping = await store.makeTaskIn("STOPPING");
    expect(
      await markRunning(store.database, { ...stopping, spec: await specOf(stopping.id) }, "a boot"),
    ).toBe(false);
    const running = await store.makeTaskIn("RUNNING");
    expect(await markRunning(store.database, { ...running, spec: await specOf(running.id) }, "a boot")).toBe(
      true,
    );
    expect(await store.events(running.id)).toEqual(["WAITING"]);
  });

  test("rejects if another server owns the task", async () => {
    const { id } = await store.makeTaskIn("STARTING", { lease_epoch: 2 });
    const running = markRunning(store.database, { id, leaseEpoch: 1, spec: await specOf(id) }, "a boot");
    await expect(running).rejects.toThrow(LeaseLostError);
  });
});

describe("finish", () => {
  test("commits outcome and last lines together, and removes lease and secrets", async () => {
    const lease = await store.makeTaskIn("RUNNING", { secrets: Buffer.from("sealed") });
    expect(await finish(store.database, lease, FAILED, { last: chunk(1, 3) })).toEqual({
      applied: true,
      followers: [],
    });
    const row = await store.row(lease.id);
    expect(row).toMatchObject({
      status: "ERROR",
      exitCode: 3,
      endReason: "EXIT_CODE",
      endMessage: "It failed",
      leaseExpires: null,
      secrets: null,
    });
    expect(row.endTime).toBeInstanceOf(Date);
    expect(await readChunks(store.database, lease.id, 1, 9, 9)).toHaveLength(1);
  });

  test("can be repeated after a commit with an unknown result", async () => {
    const lease = await store.makeTaskIn("RUNNING");
    await finish(store.database, lease, FAILED, { last: chunk(1, 3) });
    const { endTime } = await store.row(lease.id);
    expect(await finish(store.database, lease, FAILED, { last: chunk(1, 3) })).toEqual({
      applied: true,
      followers: [],
    });
    expect((await store.row(lease.id)).endTime).toEqual(endTime);
    expect(await store.events(lease.id)).toEqual(["WAITING", "ERROR"]);
  });

  test("refuses a success after a kill, and stores the lines nevertheless", async () => {
    const lease = await store.makeTaskIn("STOPPING");
    expect(await finish(store.database, lease, OUTCOME, { last: chunk(1, 3) })).toEqual({
      applied: false,
      followers: [],
    });
    expect(await readProgress(store.database, lease.id, 0)).toMatchObject({ status: "STOPPING", lastSeq: 3 });
    const stopped: TaskOutcome = { ...OUTCOME, status: "STOPPED", reason: "STOPPED_BY_USER" };
    expect(await finish(store.database, lease, stopped, { last: chunk(1, 3) })).toEqual({
      applied: true,
      followers: [],
    });
    expect(await readProgress(store.database, lease.id, 0)).toMatchObject({ status: "STOPPED", lastSeq: 3 });
  });

  test("rejects under an old epoch, and stores neither lines nor status", async () => {
    const { id } = await store.makeTaskIn("RUNNING", { lease_epoch: 2 });
    const old = { id, leaseEpoch: 1 };
    await expect(finish(store.database, old, OUTCOME, { last: chunk(1, 3) })).rejects.toThrow(LeaseLostError);
    await expect(finish(store.database, old, OUTCOME)).rejects.toThrow(LeaseLostError);
    expect(await readProgress(store.database, id, 0)).toMatchObject({ status: "RUNNING", lastSeq: 0 });
    expect(await readChunks(store.database, id, 1, 9, 9)).toEqual([]);
  });

  test.each(FINAL)("never moves a task in %s to another end", async (status) => {
    const lease = await store.makeTaskIn(status);
    const other: TaskOutcome = status === "ERROR" ? OUTCOME : FAILED;
    expect(await finish(store.database, lease, other)).toEqual({ applied: false, followers: [] });
    expect((await store.row(lease.id)).status).toBe(status);
  });
});

test("a failed move leaves no event", async () => {
  const lease = await store.makeTaskIn("RUNNING");
  const broken = store.database.run((db) =>
    transition(db, { to: "ERROR", where: underLease(lease), set: { endReason: drizzleSql`'WHIM'` } }),
  );
  await expect(broken).rejects.toThrow(/tasks_end_reason/);
  expect(await store.events(lease.id)).toEqual(["WAITING"]);
});
