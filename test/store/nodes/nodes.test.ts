import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { admit } from "../../../src/pool/admission.ts";
import {
  beat,
  drainNode,
  forgetNode,
  forgetOldNodes,
  getNode,
  leave,
  listNodes,
  type NodeFacts,
  reportGone,
} from "../../../src/store/nodes/nodes.ts";
import { readWaits } from "../../../src/store/nodes/waits.ts";
import { declareLost } from "../../../src/store/tasks/expiry.ts";
import { claim } from "../../../src/store/tasks/leases.ts";
import { NODE, OTHER_NODE, openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeEach(async () => {
  store = await openStore();
  await store.makeProject(["t", "u*"]);
});
afterEach(() => store[Symbol.asyncDispose]());

const LOST_MS = 600_000;
const FACTS: NodeFacts = {
  hostName: "box",
  address: "http://127.0.0.1:8480",
  version: "1.2.3",
  roles: ["runner"],
  tags: [],
  slots: 2,
  problem: "",
};
const live = (id = NODE, facts: Partial<NodeFacts> = {}) =>
  beat(store.database, id, { facts: { ...FACTS, ...facts }, isStart: false });
const stateOf = async (id = NODE) => (await getNode(store.database, id, LOST_MS)).state;
const silentFor = (seconds: number) =>
  store.sql`UPDATE nodes SET heartbeat_time = now() - ${`${seconds} s`}::interval`;

describe("the state of a node", () => {
  test("is READY after a heartbeat, and UNWELL while it cannot start tasks", async () => {
    await live();
    expect(await stateOf()).toBe("READY");
    await live(NODE, { problem: "the disk is full" });
    expect(await stateOf()).toBe("UNWELL");
  });

  test("is DRAINING until it is undrained, over restarts", async () => {
    await live();
    const node = await drainNode(store.database, NODE, { draining: true, lostTimeoutMs: LOST_MS });
    expect(node.state).toBe("DRAINING");
    expect(await beat(store.database, NODE, { facts: FACTS, isStart: true })).toEqual({ draining: true });
    await drainNode(store.database, NODE, { draining: false, lostTimeoutMs: LOST_MS });
    expect(await live()).toEqual({ draining: false });
  });

  test("is AWAY after 30 s without a heartbeat or after a stop, and LOST after the lost timeout", async () => {
    await live();
    await silentFor(29);
    expect(await stateOf()).toBe("READY");
    await silentFor(31);
    expect(await stateOf()).toBe("AWAY");
    await silentFor(601);
    expect(await stateOf()).toBe("LOST");
    await live();
    await leave(store.database, NODE);
    expect(await stateOf()).toBe("AWAY");
    await live();
    expect(await stateOf()).toBe("READY");
  });

  test("comes with the numbers of its tasks", async () => {
    await live();
    for (const status of ["STARTING", "RUNNING", "STOPPING", "CONFIRMED", "SUCCESS"] as const)
      await store.makeTaskIn(status);
    await store.makeTaskIn("ERROR", { may_still_run: true });
    expect(await listNodes(store.database, { after: "", limit: 9 }, LOST_MS)).toMatchObject([
      { id: NODE, usedSlots: 3, waitingPlans: 1, lostTasks: 1, hostName: "box", slots: 2 },
    ]);
  });
});

describe("a LOST task", () => {
  const lose = async () => {
    const lost = await store.makeTaskIn("RUNNING", { lease_expires: new Date(0) });
    expect(await declareLost(store.database, OTHER_NODE, LOST_MS)).toHaveLength(1);
    return lost.id;
  };
  const claimed = () => claim(store.database, OTHER_NODE, 9, admit);

  test("blocks a template without parallel tasks until its node reports that nothing is left", async () => {
    const lost = await lose();
    const next = await store.makeTask("t");
    const other = await store.makeTask("u");
    expect((await claimed()).map(({ id }) => id)).toEqual([other]);
    expect(await reportGone(store.database, NODE, [lost])).toEqual([]);
    expect(await reportGone(store.database, OTHER_NODE, [])).toEqual([]);
    expect(await claimed()).toEqual([]);
    expect(await reportGone(store.database, NODE, [])).toEqual([lost]);
    expect((await claimed()).map(({ id }) => id)).toEqual([next]);
  });

  test("blocks its template until its node is removed", async () => {
    await live(NODE);
    await lose();
    const next = await store.makeTask("t");
    await expect(forgetNode(store.database, NODE)).rejects.toMatchObject({ reason: "NODE_RUNNING" });
    await silentFor(31);
    expect(await forgetNode(store.database, NODE)).toEqual([]);
    expect((await claimed()).map(({ id }) => id)).toEqual([next]);
    await expect(getNode(store.database, NODE, LOST_MS)).rejects.toMatchObject({ kind: "not_found" });
  });
});

test("the unfinished tasks of a removed node end as LOST, and those not started return to the queue", async () => {
  await live();
  await silentFor(31);
  const ids = new Map<string, string>();
  for (const status of ["STARTING", "RUNNING", "WAITING_CONFIRMATION", "CONFIRMED", "STOPPING"] as const)
    ids.set(status, (await store.makeTaskIn(status)).id);
  const foreign = await store.makeTaskIn("RUNNING", { node: OTHER_NODE });
  await forgetNode(store.database, NODE);
  for (const [status, id] of ids)
    expect(await store.row(id)).toMatchObject(
      status === "STARTING"
        ? { status: "WAITING" }
        : { status: "ERROR", endReason: "LOST", mayStillRun: false },
    );
  expect((await store.row(foreign.id)).status).toBe("RUNNING");
});

test("nodes that have been away for a month go, unless tasks or callers need them", async () => {
  for (const id of [NODE, OTHER_NODE]) await live(id);
  await silentFor(31 * 86_400);
  const { id } = await store.makeTaskIn("ERROR", { may_still_run: true });
  await forgetOldNodes(store.database);
  const left = async () =>
    (await listNodes(store.database, { after: "", limit: 9 }, LOST_MS)).map((n) => n.id);
  expect(await left()).toEqual([NODE]);
  await store.sql`UPDATE tasks SET may_still_run = false WHERE id = ${id}`;
  await drainNode(store.database, NODE, { draining: true, lostTimeoutMs: LOST_MS });
  await forgetOldNodes(store.database);
  expect(await left()).toEqual([NODE]);
});

describe("the facts of a wait", () => {
  const waitOf = async (id: string) => (await readWaits(store.database, [id]))[0];

  test("name the task that holds the template", async () => {
    const waiting = await store.makeTask("t");
    expect(await waitOf(waiting)).toMatchObject({ activeTask: null, lostTask: null });
    const active = await store.makeTaskIn("WAITING_CONFIRMATION");
    expect(await waitOf(waiting)).toMatchObject({ activeTask: active.id });
    const lost = await store.makeTaskIn("ERROR", { may_still_run: true, node: OTHER_NODE });
    expect(await waitOf(waiting)).toMatchObject({ lostTask: lost.id, lostNode: OTHER_NODE });
    expect(await waitOf(active.id)).toBeUndefined();
  });

  test("name none for a template with parallel tasks", async () => {
    await store.makeTaskIn("RUNNING", { template: "u" });
    await store.makeTaskIn("ERROR", { template: "u", may_still_run: true });
    expect(await waitOf(await store.makeTask("u"))).toMatchObject({ activeTask: null, lostTask: null });
  });

  test("count the project's active tasks, and the slots of nodes that are READY", async () => {
    await store.makeProject([], { limit: 3 });
    const waiting = await store.makeTask("t");
    expect(await waitOf(waiting)).toMatchObject({
      projectLimit: 3,
      projectActive: 0,
      readyNodes: 0,
      slots: 0,
    });
    await live();
    await live(OTHER_NODE, { slots: 3 });
    await store.makeTaskIn("RUNNING");
    await store.makeTaskIn("CONFIRMED", { node: OTHER_NODE });
    const facts = { projectActive: 2, readyNodes: 2, slots: 5, usedSlots: 1 };
    expect(await waitOf(waiting)).toMatchObject(facts);
    await live(NODE, { problem: "full" });
    expect(await waitOf(waiting)).toMatchObject({ readyNodes: 1, slots: 3, usedSlots: 0 });
  });
});
