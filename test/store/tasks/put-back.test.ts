import { afterEach, beforeEach, expect, test } from "vitest";
import { putBack } from "../../../src/store/tasks/put-back.ts";
import { openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeEach(async () => {
  store = await openStore();
  await store.makeProject(["t*"]);
});
afterEach(() => store[Symbol.asyncDispose]());

test.each(["STARTING", "RUNNING"] as const)(
  "a task in %s goes back to the queue as if it had never been claimed",
  async (status) => {
    const lease = await store.makeTaskIn(status, { start_time: new Date(), run_deadline: new Date() });
    expect(await putBack(store.database, lease, "the disk is full")).toBe(true);
    expect(await store.row(lease.id)).toMatchObject({
      status: "WAITING",
      node: null,
      leaseEpoch: 2,
      leaseExpires: null,
      startTime: null,
      runDeadline: null,
      executorHandle: null,
    });
    const [event] =
      await store.sql`SELECT message FROM task_events WHERE task_id = ${lease.id} ORDER BY ordinal DESC`;
    expect(event?.message).toBe("Back in the queue, because the server cannot start it: the disk is full");
  },
);

test("a repeat after a commit with an unknown result counts as done and moves nothing", async () => {
  const lease = await store.makeTaskIn("STARTING");
  await putBack(store.database, lease, "x");
  expect(await putBack(store.database, lease, "x")).toBe(true);
  expect(await store.events(lease.id)).toEqual(["WAITING", "WAITING"]);
});

test("a task with a kill request is not put back", async () => {
  const lease = await store.makeTaskIn("STOPPING");
  expect(await putBack(store.database, lease, "x")).toBe(false);
  expect((await store.row(lease.id)).status).toBe("STOPPING");
});
