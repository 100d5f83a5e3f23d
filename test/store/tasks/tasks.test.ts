import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordCommit } from "../../../src/store/tasks/commits.ts";
import { createTask, forgetRequests, getTask } from "../../../src/store/tasks/tasks.ts";
import { Failure } from "../../../src/task/errors.ts";
import { newTask, openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeAll(async () => {
  store = await openStore();
  await store.makeProject(["t", "u"]);
  await store.makeProject(["t"], { name: "q" });
});
afterAll(() => store[Symbol.asyncDispose]());

const key = (body: string, id: string = randomUUID()) => ({
  id,
  bodyHash: createHash("sha256").update(body).digest(),
});
const countOf = async () => Number((await store.sql`SELECT count(*) FROM tasks`)[0]?.count);

describe("a new task", () => {
  test("is WAITING, with id and time from the database, its deadline and its first event", async () => {
    const spec = { ...newTask("t").spec, queueTimeoutMs: 60_000 };
    const { task } = await createTask(
      store.database,
      newTask("t", { spec, labels: { a: "b" }, priority: 7 }),
    );
    expect(task).toMatchObject({
      status: "WAITING",
      leaseEpoch: 0,
      lastSeq: 0,
      labels: { a: "b" },
      priority: 7,
    });
    // Both times are truncated to milliseconds separately.
    expect((task.queueDeadline?.getTime() ?? 0) - task.createTime.getTime()).toBeCloseTo(60_000, -1);
    expect(parseInt(task.id.replace("-", "").slice(0, 12), 16)).toBeCloseTo(task.createTime.getTime(), -2);
    expect(task.id[14]).toBe("7");
    expect(await store.events(task.id)).toEqual(["WAITING"]);
    expect(await getTask(store.database, "p", task.id)).toMatchObject(task);
  });

  test("sorts after all tasks that were created before it", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 50; i++) ids.push(await store.makeTask("t"));
    expect(ids.toSorted()).toEqual(ids);
  });
});

test("a task of a project that was just deleted is refused as not found", async () => {
  const late = createTask(store.database, newTask("t", { project: "gone" }));
  await expect(late).rejects.toMatchObject({ kind: "not_found", resource: "projects/gone" });
});

describe("a request id", () => {
  test("creates one task, even if it is sent many times and concurrently", async () => {
    const request = key("body");
    const before = await countOf();
    const made = await Promise.all(
      Array.from({ length: 8 }, () => createTask(store.database, newTask("t"), request)),
    );
    expect(new Set(made.map(({ task }) => task.id)).size).toBe(1);
    expect(made.filter(({ deduplicated }) => !deduplicated)).toHaveLength(1);
    expect(await countOf()).toBe(before + 1);
  });

  test("with another body is refused and creates nothing", async () => {
    const request = key("body");
    await createTask(store.database, newTask("t"), request);
    const before = await countOf();
    const again = createTask(store.database, newTask("t"), key("other body", request.id));
    await expect(again).rejects.toMatchObject({ kind: "already_exists", reason: "REQUEST_ID_REUSED" });
    expect(await countOf()).toBe(before);
  });

  test("can be used again if its task could not be created", async () => {
    const request = key("body");
    await expect(createTask(store.database, newTask("t", { project: "none" }), request)).rejects.toThrow();
    expect((await createTask(store.database, newTask("t"), request)).deduplicated).toBe(false);
  });

  test("stays used when its task is deleted", async () => {
    const request = key("body");
    const { task } = await createTask(store.database, newTask("t"), request);
    await store.sql`DELETE FROM tasks WHERE id = ${task.id}`;
    await expect(createTask(store.database, newTask("t"), request)).rejects.toBeInstanceOf(Failure);
  });

  test("is deleted after two days, not after one", async () => {
    const [young, old] = [key("body"), key("body")];
    for (const request of [young, old]) await createTask(store.database, newTask("t"), request);
    await store.sql`UPDATE task_requests SET create_time = now() - interval '25 h' WHERE request_id = ${young.id}`;
    await store.sql`UPDATE task_requests SET create_time = now() - interval '49 h' WHERE request_id = ${old.id}`;
    await forgetRequests(store.database);
    const left =
      await store.sql`SELECT request_id AS id FROM task_requests WHERE request_id IN ${store.sql([young.id, old.id])}`;
    expect(left.map(({ id }) => id)).toEqual([young.id]);
  });
});

test("a task is found under its own project only", async () => {
  const id = await store.makeTask("t");
  await expect(getTask(store.database, "q", id)).rejects.toThrow(`There is no projects/q/tasks/${id}`);
});

test("the commit of a task is stored, under its lease only", async () => {
  const id = await store.makeTask("t");
  const { leaseEpoch } = await store.row(id);
  await recordCommit(store.database, { id, leaseEpoch }, { hash: "abc", message: "Fix it" });
  expect(await store.row(id)).toMatchObject({ commitHash: "abc", commitMessage: "Fix it" });
  // A server that has lost the lease does not overwrite the commit of the new owner.
  await recordCommit(store.database, { id, leaseEpoch: leaseEpoch - 1 }, { hash: "old", message: "Stale" });
  expect(await store.row(id)).toMatchObject({ commitHash: "abc", commitMessage: "Fix it" });
});
