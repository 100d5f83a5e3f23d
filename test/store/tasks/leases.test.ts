import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readChunks, storeChunks } from "../../../src/store/logs/logs.ts";
import { declareLost, expireQueue } from "../../../src/store/tasks/expiry.ts";
import { readKillRequests, release, renew, rescue } from "../../../src/store/tasks/leases.ts";
import { adopt, inherit } from "../../../src/store/tasks/take-over.ts";
import { LeaseLostError } from "../../../src/task/errors.ts";
import { STATUSES } from "../../../src/task/status.ts";
import { chunk, NODE, OTHER_NODE, openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeEach(async () => {
  store = await openStore();
  await store.makeProject(["t*"]);
});
afterEach(() => store[Symbol.asyncDispose]());

const past = (seconds: number) => new Date(Date.now() - seconds * 1000);

/** Creates a task in each status. Resolves to the ids by status. */
async function oneOfEach(columns: Record<string, unknown> = {}) {
  const made = new Map<string, string>();
  for (const status of STATUSES) made.set((await store.makeTaskIn(status, columns)).id, status);
  return (leases: { id: string }[]) => leases.map(({ id }) => made.get(id)).sort();
}

describe("a lease", () => {
  test("is renewed for tasks of the node, and returns their kill requests", async () => {
    const { id } = await store.makeTaskIn("STOPPING", {
      lease_expires: past(100),
      kill_time: new Date(),
      kill_deadline: new Date(Date.now() + 600_000),
    });
    const foreign = await store.makeTaskIn("RUNNING", { node: OTHER_NODE, lease_expires: past(100) });
    const ended = await store.makeTaskIn("SUCCESS");
    const [request, ...more] = await renew(store.database, NODE, [id, foreign.id, ended.id]);
    expect(more).toEqual([]);
    expect(request).toMatchObject({ id, leaseEpoch: 1, status: "STOPPING", killForce: false });
    expect(request?.killRemainingMs).toBeGreaterThan(300_000);
    expect(request?.killRemainingMs).toBeLessThanOrEqual(600_000);
    expect((await store.row(id)).leaseExpires?.getTime()).toBeGreaterThan(Date.now());
    expect((await store.row(foreign.id)).leaseExpires?.getTime()).toBeLessThan(Date.now());
    expect(await readKillRequests(store.database, [foreign.id])).toMatchObject([
      { id: foreign.id, killTime: null },
    ]);
  });

  test("that is released returns a task that was not started to the queue, under a new epoch", async () => {
    const lease = await store.makeTaskIn("STARTING");
    await release(store.database, { ...lease, leaseEpoch: 0 });
    expect((await store.row(lease.id)).status).toBe("STARTING");
    await release(store.database, lease);
    expect(await store.row(lease.id)).toMatchObject({
      status: "WAITING",
      node: null,
      leaseEpoch: 2,
      leaseExpires: null,
    });
    const running = await store.makeTaskIn("RUNNING");
    await release(store.database, running);
    expect((await store.row(running.id)).status).toBe("RUNNING");
  });
});

test("adopt takes over all tasks that the node ran, under any lease, and puts back those not started", async () => {
  const statusesOf = await oneOfEach({ lease_expires: new Date(Date.now() + 30_000) });
  const foreign = await store.makeTaskIn("RUNNING", { node: OTHER_NODE });
  const { putBack, adopted } = await adopt(store.database, NODE);
  expect(statusesOf(putBack)).toEqual(["STARTING"]);
  expect(statusesOf(adopted)).toEqual(["REJECTED", "RUNNING", "STOPPING"]);
  expect(adopted.every(({ leaseEpoch }) => leaseEpoch === 2)).toBe(true);
  expect((await store.row(foreign.id)).leaseEpoch).toBe(1);
});

test("rescue puts back only tasks whose lease expired before they were started", async () => {
  const statusesOf = await oneOfEach({ lease_expires: past(1), node: OTHER_NODE });
  const fresh = await store.makeTaskIn("STARTING");
  expect(statusesOf(await rescue(store.database, NODE))).toEqual(["STARTING"]);
  expect((await store.row(fresh.id)).status).toBe("STARTING");
});

describe("a lost task", () => {
  test("ends as ERROR with reason LOST under a new epoch, once its server has been away for too long", async () => {
    const statusesOf = await oneOfEach({ lease_expires: past(100), node: OTHER_NODE });
    const lost = await declareLost(store.database, NODE, 60_000);
    expect(statusesOf(lost)).toEqual(["CONFIRMED", "REJECTED", "RUNNING", "STARTING", "STOPPING"]);
    for (const { id, leaseEpoch } of lost) {
      expect(leaseEpoch).toBe(2);
      expect(await store.row(id)).toMatchObject({ status: "ERROR", endReason: "LOST", leaseExpires: null });
    }
  });

  test("is neither one of the node that declares it nor one whose server has been away only shortly", async () => {
    await oneOfEach({ lease_expires: past(100), node: NODE });
    await oneOfEach({ lease_expires: past(10), node: OTHER_NODE });
    expect(await declareLost(store.database, NODE, 60_000)).toEqual([]);
  });
});

describe("a task that every node can reach", () => {
  test("is taken over from a node that is away, and does not become LOST", async () => {
    const shared = { executor: "cluster", node: OTHER_NODE };
    const statusesOf = await oneOfEach({ ...shared, lease_expires: past(100) });
    const here = await store.makeTaskIn("RUNNING", { node: OTHER_NODE, lease_expires: past(100) });
    expect((await declareLost(store.database, NODE, 60_000)).map(({ id }) => id)).toEqual([here.id]);
    const taken = await inherit(store.database, NODE, ["cluster"]);
    expect(statusesOf(taken)).toEqual(["CONFIRMED", "REJECTED", "RUNNING", "STOPPING"]);
    for (const { id, leaseEpoch } of taken) {
      expect(leaseEpoch).toBe(2);
      expect(await store.row(id)).toMatchObject({ node: NODE, executor: "cluster" });
    }
  });

  test("stays with a node that may only be late; a task of the local executor always stays", async () => {
    const shared = { executor: "cluster", node: OTHER_NODE };
    await oneOfEach({ ...shared, lease_expires: past(10) });
    await oneOfEach({ node: OTHER_NODE, lease_expires: past(100) });
    expect(await inherit(store.database, NODE, ["cluster"])).toEqual([]);
    expect(await inherit(store.database, NODE, [])).toEqual([]);
  });
});

test("a task that waits longer than its queue_timeout ends as QUEUE_TIMEOUT; a running one does not", async () => {
  const deadline = { queue_deadline: past(1), lease_expires: null, node: null };
  const late = await store.makeTaskIn("WAITING", deadline);
  const inTime = await store.makeTaskIn("WAITING", {
    ...deadline,
    queue_deadline: new Date(Date.now() + 60_000),
  });
  await store.makeTaskIn("RUNNING", { queue_deadline: past(1) });
  expect(await expireQueue(store.database)).toMatchObject([
    { id: late.id, leaseEpoch: 1, project: "p", template: "t", status: "ERROR", endReason: "QUEUE_TIMEOUT" },
  ]);
  expect(await store.row(late.id)).toMatchObject({ status: "ERROR", endReason: "QUEUE_TIMEOUT" });
  expect((await store.row(inTime.id)).status).toBe("WAITING");
});

describe("chunks", () => {
  const store1 = (
    lease: { id: string; leaseEpoch: number },
    ...chunks: [ReturnType<typeof chunk>, ...ReturnType<typeof chunk>[]]
  ) => store.database.run((db) => storeChunks(db, lease, chunks));

  test("are stored one after the other, and return the number of events that precede them", async () => {
    const lease = await store.makeTaskIn("RUNNING");
    expect(await store1(lease, chunk(1, 3), chunk(4, 4))).toBe(1);
    expect(await store1(lease, chunk(5, 9))).toBe(1);
    const [head] =
      await store.sql`SELECT last_seq, stdout_offset, log_bytes FROM task_heads WHERE task_id = ${lease.id}`;
    expect(head).toMatchObject({ last_seq: "9", stdout_offset: "90" });
    expect(Number(head?.log_bytes)).toBe(3 * chunk(1, 1).data.length);
    expect((await readChunks(store.database, lease.id, 1, 99, 99)).map((c) => c.firstSeq)).toEqual([1, 4, 5]);
  });

  test("are stored once, also if a commit with an unknown result is repeated", async () => {
    const lease = await store.makeTaskIn("RUNNING");
    await store1(lease, chunk(1, 3), chunk(4, 6));
    expect(await store1(lease, chunk(1, 3), chunk(4, 6))).toBe(1);
    expect(await readChunks(store.database, lease.id, 1, 99, 99)).toHaveLength(2);
  });

  test("under an old epoch are refused, repeated or not", async () => {
    const lease = await store.makeTaskIn("RUNNING");
    await store1(lease, chunk(1, 3));
    await adopt(store.database, NODE);
    await expect(store1(lease, chunk(4, 4))).rejects.toThrow(LeaseLostError);
    await expect(store1(lease, chunk(1, 3))).rejects.toThrow(LeaseLostError);
    expect(await store1({ ...lease, leaseEpoch: 2 }, chunk(4, 4))).toBe(1);
    expect(await readChunks(store.database, lease.id, 1, 99, 99)).toHaveLength(2);
  });

  test("that leave a gap or overlap are refused", async () => {
    const lease = await store.makeTaskIn("RUNNING");
    await store1(lease, chunk(1, 3));
    for (const [first, last] of [
      [5, 6],
      [3, 4],
      [2, 9],
    ] as const) {
      await expect(store1(lease, chunk(first, last))).rejects.toThrow(LeaseLostError);
    }
    expect(await readChunks(store.database, lease.id, 1, 99, 99)).toHaveLength(1);
  });
});
