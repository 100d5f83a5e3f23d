import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { declareLost, expirePlans } from "../../../src/store/tasks/expiry.ts";
import { requestKill } from "../../../src/store/tasks/kills.ts";
import { renew } from "../../../src/store/tasks/leases.ts";
import { endedAmong, parkedOn, resume } from "../../../src/store/tasks/parked.ts";
import { confirmPlan, park, readPlanText, rejectPlan } from "../../../src/store/tasks/plans.ts";
import { readHead } from "../../../src/store/tasks/progress.ts";
import { readopt } from "../../../src/store/tasks/take-over.ts";
import type { Lease } from "../../../src/store/tasks/transitions.ts";
import { Failure, LeaseLostError } from "../../../src/task/errors.ts";
import { chunk, NODE, OTHER_NODE, openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeAll(async () => {
  store = await openStore();
  await store.makeProject(["t*"]);
});
afterAll(() => store?.[Symbol.asyncDispose]());
beforeEach(() => store.sql`TRUNCATE tasks CASCADE`);

const plan = { digest: "d1", add: 1, change: 2, destroy: 3 };
const stored = { plan, text: Buffer.from("text") };
const spec = async (id: string) => ({ spec: (await store.row(id)).spec });
const parked = async (columns: Record<string, unknown> = {}): Promise<Lease> => {
  const lease = await store.makeTaskIn("RUNNING", columns);
  await park(store.database, { ...lease, ...(await spec(lease.id)) }, stored, undefined);
  return lease;
};
const reasonOf = (call: Promise<unknown>) =>
  call.then(
    () => "none",
    (error: unknown) => (error instanceof Failure ? error.reason : String(error)),
  );
const task = ({ id }: Pick<Lease, "id">) => ({ project: "p", id });

describe("park", () => {
  test("stores the plan with the last lines, and resets the raw offsets to 0", async () => {
    const lease = await store.makeTaskIn("RUNNING", { run_deadline: new Date() });
    const own = { ...lease, ...(await spec(lease.id)) };
    own.spec.confirmTimeoutMs = 60_000;
    expect(await park(store.database, own, stored, chunk(1, 3))).toBe(true);
    const row = await store.row(lease.id);
    expect(row).toMatchObject({
      status: "WAITING_CONFIRMATION",
      plan,
      leaseExpires: null,
      runDeadline: null,
    });
    expect(Number(row.confirmDeadline) - Date.now()).toBeGreaterThan(50_000);
    expect(await readHead(store.database, lease.id)).toMatchObject({
      lastSeq: 3,
      stdoutOffset: 0,
      stderrOffset: 0,
    });
    expect(await readPlanText(store.database, lease.id)).toEqual(Buffer.from("text"));
    // A repeat after a commit with an unknown result counts as done, also if the plan was decided on meanwhile.
    expect(await park(store.database, own, stored, chunk(1, 3))).toBe(true);
    await confirmPlan(store.database, task(lease), "d1", "bob");
    expect(await park(store.database, own, stored, chunk(1, 3))).toBe(true);
    expect(await store.events(lease.id)).toEqual(["WAITING", "WAITING_CONFIRMATION", "CONFIRMED"]);
  });

  test("only stores the lines after a kill, and nothing if another server owns the task", async () => {
    const lease = await store.makeTaskIn("RUNNING");
    const own = { ...lease, ...(await spec(lease.id)) };
    await requestKill(store.database, task(lease), {
      force: false,
      graceMs: () => 10_000,
      reason: "",
      by: "ada",
    });
    expect(await park(store.database, own, stored, chunk(1, 2))).toBe(false);
    expect(await store.row(lease.id)).toMatchObject({ status: "STOPPING", plan: null });
    expect((await readHead(store.database, lease.id))?.lastSeq).toBe(2);
    const late = { ...own, leaseEpoch: 9 };
    await expect(park(store.database, late, stored, undefined)).rejects.toThrow(LeaseLostError);
  });
});

describe("a decision", () => {
  test("is made once, with the digest of the plan, from WAITING_CONFIRMATION only", async () => {
    const lease = await parked();
    expect(await reasonOf(confirmPlan(store.database, task(lease), "d2", "bob"))).toBe("PLAN_CHANGED");
    expect(await confirmPlan(store.database, task(lease), "d1", "bob")).toMatchObject({
      status: "CONFIRMED",
      decidedBy: "bob",
    });
    expect(await reasonOf(confirmPlan(store.database, task(lease), "d1", "bob"))).toBe(
      "NOT_WAITING_FOR_CONFIRMATION",
    );
    expect(await reasonOf(rejectPlan(store.database, task(lease), "", "bob"))).toBe(
      "NOT_WAITING_FOR_CONFIRMATION",
    );
    const elsewhere = { project: "q", id: lease.id };
    expect(await reasonOf(confirmPlan(store.database, elsewhere, "d1", "bob"))).toBe("RESOURCE_NOT_FOUND");
  });

  test("is made exactly once by concurrent callers", async () => {
    for (let round = 0; round < 10; round++) {
      const lease = await parked();
      const outcomes = await Promise.all([
        reasonOf(confirmPlan(store.database, task(lease), "d1", "bob")),
        reasonOf(rejectPlan(store.database, task(lease), "", "bob")),
        reasonOf(confirmPlan(store.database, task(lease), "d1", "bob")),
      ]);
      expect(outcomes.filter((outcome) => outcome === "none")).toHaveLength(1);
    }
  });

  test("that rejects ends the task through REJECTED and ERROR", async () => {
    const lease = await parked();
    const view = await rejectPlan(store.database, task(lease), "no", "bob");
    expect(view).toMatchObject({
      status: "ERROR",
      endReason: "REJECTED",
      endMessage: "Its plan was rejected: no",
      decidedBy: "bob",
    });
    expect((await store.events(lease.id)).slice(-2)).toEqual(["REJECTED", "ERROR"]);
  });
});

describe("a confirmed task", () => {
  test("is resumed by its node only, up to the slots, unless its first run has not ended", async () => {
    const leases = [await parked(), await parked(), await parked()];
    const foreign = await parked({ node: OTHER_NODE });
    for (const lease of [...leases, foreign]) await confirmPlan(store.database, task(lease), "d1", "bob");
    const [first, second, third] = leases.map(({ id }) => id);
    const taken = await resume(store.database, NODE, 1, [first ?? ""]);
    expect(taken).toEqual([{ id: second, leaseEpoch: 2 }]);
    expect(await resume(store.database, NODE, 0, [])).toEqual([]);
    expect((await resume(store.database, NODE, 5, [second ?? ""])).map(({ id }) => id).sort()).toEqual(
      [first, third].sort(),
    );
    expect((await store.row(foreign.id)).leaseEpoch).toBe(1);
  });

  test("that waits for a slot is kept from being LOST by its own node only", async () => {
    const lease = await parked();
    await confirmPlan(store.database, task(lease), "d1", "bob");
    await store.sql`UPDATE tasks SET lease_expires = now() - interval '1 hour' WHERE id = ${lease.id}`;
    await renew(store.database, NODE, [randomUUID()]);
    expect(await declareLost(store.database, OTHER_NODE, 60_000)).toEqual([]);
    await store.sql`UPDATE tasks SET lease_expires = now() - interval '1 hour' WHERE id = ${lease.id}`;
    await renew(store.database, OTHER_NODE, [randomUUID()]);
    expect(await declareLost(store.database, OTHER_NODE, 60_000)).toHaveLength(1);
    expect((await store.row(lease.id)).endReason).toBe("LOST");
  });

  test("that was killed before it was resumed is stopped by its node at once", async () => {
    const lease = await parked();
    await confirmPlan(store.database, task(lease), "d1", "bob");
    await requestKill(store.database, task(lease), {
      force: false,
      graceMs: () => 10_000,
      reason: "",
      by: "ada",
    });
    expect(await resume(store.database, NODE, 5, [])).toEqual([]);
    const { adopted } = await readopt(store.database, NODE, []);
    expect(adopted).toEqual([{ id: lease.id, leaseEpoch: 2 }]);
  });
});

test("plans past their confirm deadline end; all others wait on", async () => {
  const late = await parked();
  const early = await parked();
  const endless = await parked();
  await store.sql`UPDATE tasks SET confirm_deadline = now() - interval '1 s' WHERE id = ${late.id}`;
  await store.sql`UPDATE tasks SET confirm_deadline = now() + interval '1 h' WHERE id = ${early.id}`;
  expect((await expirePlans(store.database)).map(({ id }) => id)).toEqual([late.id]);
  expect(await store.row(late.id)).toMatchObject({ status: "ERROR", endReason: "CONFIRM_TIMEOUT" });
  expect((await parkedOn(store.database, NODE)).map(({ id }) => id).sort()).toEqual(
    [early.id, endless.id].sort(),
  );
  expect(await parkedOn(store.database, OTHER_NODE)).toEqual([]);
  const unknown = randomUUID();
  expect((await endedAmong(store.database, [late.id, early.id, unknown])).sort()).toEqual(
    [late.id, unknown].sort(),
  );
});
