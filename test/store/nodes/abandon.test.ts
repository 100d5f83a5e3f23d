import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { admit } from "../../../src/pool/admission.ts";
import { abandonTask } from "../../../src/store/nodes/abandon.ts";
import { beat, type NodeFacts } from "../../../src/store/nodes/nodes.ts";
import { declareLost } from "../../../src/store/tasks/expiry.ts";
import { killTemplate, requestKill } from "../../../src/store/tasks/kills.ts";
import { claim } from "../../../src/store/tasks/leases.ts";
import { finish } from "../../../src/store/tasks/transitions.ts";
import { NODE, OTHER_NODE, openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeEach(async () => {
  store = await openStore();
  await store.makeProject(["t"]);
});
afterEach(() => store[Symbol.asyncDispose]());

const FACTS: NodeFacts = {
  hostName: "box",
  address: "",
  version: "1",
  roles: ["runner"],
  tags: [],
  slots: 2,
  problem: "",
};
const live = () => beat(store.database, NODE, { facts: FACTS, isStart: false });
/** Makes NODE silent for so long that others may take over its tasks. */
const away = async () => {
  await live();
  await store.sql`UPDATE nodes SET heartbeat_time = now() - interval '31 s'`;
};
const named = (id: string) => ({ project: "p", id });
const abandon = (id: string, reason = "") => abandonTask(store.database, named(id), { reason, by: "ada" });
const REQUEST = { force: false, graceMs: () => 0, reason: "", by: "ada" };
const killed = async (id: string) => (await requestKill(store.database, named(id), REQUEST)).awayNode;
const claimed = async () => (await claim(store.database, OTHER_NODE, 9, admit)).map(({ id }) => id);

describe("a kill of a running task", () => {
  test("names its node while that is away, also when it is repeated", async () => {
    const { id } = await store.makeTaskIn("RUNNING");
    await away();
    expect(await killed(id)).toBe(NODE);
    expect(await killed(id)).toBe(NODE);
    await live();
    expect(await killed(id)).toBeUndefined();
  });

  test("names no node that writes no row, as an older release, while it renews its leases", async () => {
    const { id } = await store.makeTaskIn("RUNNING");
    expect(await killed(id)).toBeUndefined();
    await store.sql`UPDATE tasks SET lease_expires = now() - interval '1 s'`;
    expect(await killed(id)).toBe(NODE);
  });

  test("of a whole template names it for each task that runs there", async () => {
    const { id } = await store.makeTaskIn("RUNNING");
    const waiting = await store.makeTask("t");
    await away();
    expect(await killTemplate(store.database, { project: "p", name: "t" }, REQUEST)).toEqual([
      { id, outcome: "KILL_REQUESTED", awayNode: NODE },
      { id: waiting, outcome: "KILLED_BEFORE_START" },
    ]);
  });
});

describe("an abandoned task", () => {
  test.each(["STARTING", "RUNNING", "CONFIRMED", "REJECTED", "STOPPING"] as const)(
    "in %s ends as LOST at once and frees its template; its node cannot change that",
    async (status) => {
      const lease = await store.makeTaskIn(status);
      const next = await store.makeTask("t");
      await away();
      expect(await claimed()).toEqual([]);
      const { task, abandoned } = await abandon(lease.id, "I pulled the plug");
      expect(abandoned).toBe(true);
      expect(task).toMatchObject({
        status: "ERROR",
        endReason: "LOST",
        endMessage: "Abandoned while its server was away: I pulled the plug",
        mayStillRun: false,
      });
      expect(await claimed()).toEqual([next]);
      const success = { status: "SUCCESS", reason: null, exitCode: 0, signal: null, message: "" } as const;
      await expect(finish(store.database, lease, success)).rejects.toThrow("lease");
      expect(await store.events(lease.id)).toEqual(["WAITING", "ERROR"]);
    },
  );

  test("that is LOST already frees its template, and stays as it ended", async () => {
    const { id } = await store.makeTaskIn("RUNNING", { lease_expires: new Date(0) });
    await declareLost(store.database, OTHER_NODE, 1);
    const { endMessage } = await store.row(id);
    const next = await store.makeTask("t");
    expect(await claimed()).toEqual([]);
    expect(await abandon(id)).toMatchObject({ abandoned: true, task: { endMessage, mayStillRun: false } });
    expect(await claimed()).toEqual([next]);
    expect((await abandon(id)).abandoned).toBe(false);
  });

  test("ends once when several callers abandon it", async () => {
    const { id } = await store.makeTaskIn("RUNNING");
    await away();
    const all = await Promise.all([1, 2, 3, 4].map(() => abandon(id)));
    expect(all.filter(({ abandoned }) => abandoned)).toHaveLength(1);
    expect(await store.events(id)).toEqual(["WAITING", "ERROR"]);
  });
});

describe("a task is not abandoned", () => {
  test.each(["RUNNING", "STOPPING"] as const)("in %s while its node is alive", async (status) => {
    const { id } = await store.makeTaskIn(status);
    await live();
    await expect(abandon(id)).rejects.toMatchObject({ reason: "TASK_NOT_AWAY" });
    expect((await store.row(id)).status).toBe(status);
  });

  test.each(["WAITING", "WAITING_CONFIRMATION"] as const)("in %s, since no program runs", async (status) => {
    const { id } = await store.makeTaskIn(status);
    await away();
    await expect(abandon(id)).rejects.toThrow(`it is ${status}, so no program of it runs`);
  });

  test.each(["SUCCESS", "STOPPED"] as const)("in %s", async (status) => {
    const { id } = await store.makeTaskIn(status);
    expect(await abandon(id)).toMatchObject({ abandoned: false, task: { status } });
  });

  test("of another project", async () => {
    const { id } = await store.makeTaskIn("RUNNING");
    const elsewhere = abandonTask(store.database, { project: "q", id }, { reason: "", by: "ada" });
    await expect(elsewhere).rejects.toMatchObject({ kind: "not_found" });
  });
});
