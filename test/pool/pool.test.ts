import { pino } from "pino";
import { afterEach, expect, test, vi } from "vitest";
import { createTaskPool, type PoolOptions, type TaskPool } from "../../src/pool/pool.ts";
import type { PoolStore } from "../../src/pool/store.ts";
import type { RunControl } from "../../src/runner/control.ts";
import type { KillRequestState } from "../../src/store/tasks/leases.ts";
import type { ChangedTask, Lease } from "../../src/store/tasks/transitions.ts";
import type { EndReason, Status } from "../../src/task/status.ts";

const logger = pino({ level: "silent" });
const request = (id: string, more: Partial<KillRequestState> = {}): KillRequestState => ({
  id,
  leaseEpoch: 1,
  status: "RUNNING",
  killTime: null,
  killForce: false,
  killRemainingMs: null,
  ...more,
});

const changed = (id: string, status: Status, endReason: EndReason | null = null): ChangedTask => {
  return { id, leaseEpoch: 2, project: "p", template: "t", node: null, ageMs: 5, status, endReason };
};

/** A pool on a store in memory. Runs last until the test ends them. */
function makePool(store: Partial<PoolStore>, options: Partial<PoolOptions> = {}) {
  const runs = new Map<string, { control: RunControl; end: () => void }>();
  const statuses: string[] = [];
  const steps: string[] = [];
  const order: string[] = [];
  const pool = createTaskPool({
    store: {
      claim: async () => [],
      adopt: async () => ({ putBack: [], adopted: [] }),
      parked: async () => [],
      resume: async () => [],
      endedAmong: async () => [],
      renew: async (ids) => ids.map((id) => request(id)),
      readKillRequests: async (ids) => ids.map((id) => request(id)),
      tidyUp: async () => ({ changed: [], adopted: [] }),
      reportGone: async () => [],
      ...store,
    },
    maxParallelTasks: 2,
    fitness: { isFit: true },
    isDraining: () => false,
    onFreed() {},
    run({ id }, control) {
      order.push(`run ${id}`);
      return new Promise((end) => runs.set(id, { control, end }));
    },
    leftovers: {
      list: async () => [],
      clear: async () => {},
      clearAllBut: async (kept) => void order.push(`clear all but ${kept.join(" ")}`),
    },
    onStatus: (id, status) => void statuses.push(`${id} ${status}`),
    operatorLog: { step: (step, { id }) => void steps.push(`${id} ${step}`) },
    logger,
    ...options,
  });
  pools.push({ pool, end: () => runs.forEach((run) => void run.end()) });
  return { pool, runs, statuses, steps, order };
}

const pools: { pool: TaskPool; end: () => void }[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const { pool, end } of pools.splice(0)) {
    const stopping = pool.stop();
    end();
    await stopping;
  }
});

/** A queue that fills the free slots and records each claim. */
function queue(...ids: string[]) {
  const asked: number[] = [];
  const waiting: (() => void)[] = [];
  return {
    asked,
    claim: async (slots: number): Promise<ChangedTask[]> => {
      asked.push(slots);
      for (const resolve of waiting.splice(0)) resolve();
      return ids.splice(0, slots).map((id) => ({ ...changed(id, "STARTING"), leaseEpoch: 1 }));
    },
    /** Resolves at the next claim. */
    next: () => new Promise<void>((resolve) => waiting.push(resolve)),
  };
}

test("claims as many tasks as there are slots, and more as soon as a run has ended", async () => {
  const { claim, next, asked } = queue("a", "b", "c");
  const { pool, runs, statuses } = makePool({ claim });
  await pool.start();
  await expect.poll(() => [...runs.keys()]).toEqual(["a", "b"]);
  expect(pool.running).toBe(2);
  const asking = next();
  runs.get("a")?.end();
  await asking;
  await expect.poll(() => runs.has("c")).toBe(true);
  expect(asked).toEqual([2, 1]);
  expect(statuses).toEqual(["a STARTING", "b STARTING", "c STARTING"]);
});

test("a full pool does not claim", async () => {
  const { claim, asked } = queue("a", "b", "c");
  const { pool, runs } = makePool({ claim });
  await pool.start();
  await expect.poll(() => runs.size).toBe(2);
  pool.wake();
  pool.wake();
  await new Promise(setImmediate);
  expect(asked).toEqual([2]);
});

test("a server that cannot start tasks claims none, and claims again when it can", async () => {
  const { claim, asked } = queue("a");
  const fitness = { isFit: false };
  const { pool, runs } = makePool({ claim }, { fitness });
  await pool.start();
  pool.wake();
  await new Promise(setImmediate);
  expect(asked).toEqual([]);
  fitness.isFit = true;
  pool.wake();
  await expect.poll(() => runs.has("a")).toBe(true);
});

test("the start waits for a database that is away", async () => {
  let tries = 0;
  const adopt = async () => {
    tries++;
    if (tries < 3) throw Object.assign(new Error("not permitted to log in"), { code: "28000" });
    return { putBack: [], adopted: [{ id: "mine", leaseEpoch: 2 }] };
  };
  const { pool, order } = makePool({ adopt });
  await pool.start();
  await expect.poll(() => order).toEqual(["clear all but mine", "run mine"]);
});

test("the start takes over running tasks, removes other folders, and then claims", async () => {
  const { claim, next } = queue("new");
  const adopt = async () => ({
    putBack: [changed("back", "WAITING")],
    adopted: [{ id: "mine", leaseEpoch: 2 }],
  });
  const { pool, statuses, steps, order, runs } = makePool({ claim, adopt });
  const asking = next();
  await pool.start();
  await asking;
  await expect.poll(() => runs.has("new")).toBe(true);
  expect(order).toEqual(["clear all but mine", "run mine", "run new"]);
  expect(statuses).toEqual(["back WAITING", "new STARTING"]);
  expect(steps).toEqual(["back put back", "new claimed"]);
});

test("a kill request reaches the run at once, with the rest of its grace period", async () => {
  const { claim } = queue("a");
  const asked: string[][] = [];
  const readKillRequests = async (ids: string[]) => {
    asked.push(ids);
    return ids.map((id) => request(id, killed ? { killTime: new Date(), killRemainingMs: 60_000 } : {}));
  };
  let killed = false;
  const { pool, runs } = makePool({ claim, readKillRequests });
  await pool.start();
  await expect.poll(() => runs.has("a") && asked.length).toBeTruthy();
  const graces: number[] = [];
  runs.get("a")?.control.attach({ kill: ({ graceMs }) => void graces.push(Math.round(graceMs / 1000)) });
  killed = true;
  pool.applyKillRequests(["a", "of another server"]);
  await new Promise(setImmediate);
  expect(runs.get("a")?.control.reason).toBe("user");
  expect(graces).toEqual([60]);
  expect(asked.at(-1)).toEqual(["a"]);
});

test("a lease that cannot be renewed under its epoch stops the run as lease_lost", async () => {
  const { claim } = queue("a");
  const readKillRequests = async (ids: string[]) =>
    ids.map((id) => request(id, { leaseEpoch: 7, killTime: new Date() }));
  const { pool, runs } = makePool({ claim, readKillRequests });
  await pool.start();
  await expect.poll(() => runs.has("a")).toBe(true);
  pool.applyKillRequests(["a"]);
  await expect.poll(() => runs.get("a")?.control.reason).toBe("lease_lost");
});

test("a run whose task was deleted after others had ended it is stopped as lease_lost", async () => {
  const { claim } = queue("a");
  let isDeleted = false;
  const readKillRequests = async (ids: string[]) => (isDeleted ? [] : ids.map((id) => request(id)));
  const { pool, runs } = makePool({ claim, readKillRequests });
  await pool.start();
  await expect.poll(() => runs.has("a")).toBe(true);
  isDeleted = true;
  pool.applyKillRequests(["a"]);
  await expect.poll(() => runs.get("a")?.control.reason).toBe("lease_lost");
});

test("after an absence the runs of lost tasks end before the next claim", async () => {
  const { claim, asked } = queue("a");
  const order: string[] = [];
  let isLost = false;
  const { pool, runs } = makePool({
    claim: async (slots) => {
      order.push("claim");
      return claim(slots);
    },
    renew: async (ids) => {
      order.push(`renew ${ids}`);
      return isLost ? [] : ids.map((id) => request(id));
    },
    readKillRequests: async (ids) => ids.map((id) => request(id, { leaseEpoch: isLost ? 2 : 1 })),
  });
  await pool.start();
  await expect.poll(() => runs.has("a")).toBe(true);
  isLost = true;
  order.length = 0;
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
  pool.wake();
  await expect.poll(() => runs.get("a")?.control.reason).toBe("lease_lost");
  expect(order).not.toContain("claim");
  const claims = asked.length;
  runs.get("a")?.end();
  await expect.poll(() => asked.length).toBeGreaterThan(claims);
  expect(order.indexOf("renew a")).toBeLessThan(order.indexOf("claim"));
});

test("tasks that were put back or ended are announced, and the queue is read again", async () => {
  let told = false;
  const tidyUp = async () => {
    if (told) return { changed: [], adopted: [] };
    told = true;
    return {
      changed: [
        changed("x", "WAITING"),
        changed("unwanted", "STOPPED"),
        changed("late", "ERROR", "QUEUE_TIMEOUT"),
        changed("gone", "ERROR", "LOST"),
      ],
      adopted: [{ id: "forgotten", leaseEpoch: 2 }],
    };
  };
  const { claim, asked } = queue();
  const { pool, runs, statuses, steps } = makePool({ claim, tidyUp });
  await pool.start();
  await expect.poll(() => asked.length).toBeGreaterThanOrEqual(2);
  expect(statuses).toEqual(["x WAITING", "unwanted STOPPED", "late ERROR", "gone ERROR"]);
  expect(steps).toEqual(["x put back", "unwanted ended", "late ended", "gone lost", "gone ended"]);
  expect([...runs.keys()]).toEqual(["forgotten"]);
});

test("a task that is claimed again while its earlier run ends starts after that run", async () => {
  const leases = [1, 3].map((leaseEpoch) => ({ ...changed("a", "STARTING"), leaseEpoch }));
  const claim = async () => leases.splice(0, 1);
  const order: string[] = [];
  const ends: (() => void)[] = [];
  const run = ({ leaseEpoch }: Lease, control: RunControl) => {
    order.push(`begin ${leaseEpoch}`);
    control.signal.addEventListener("abort", () => order.push(`${leaseEpoch} ${control.reason}`));
    return new Promise<void>((end) => ends.push(end));
  };
  const { pool } = makePool({ claim }, { run });
  await pool.start();
  await expect.poll(() => order).toEqual(["begin 1"]);
  pool.wake();
  await expect.poll(() => order).toEqual(["begin 1", "1 lease_lost"]);
  ends[0]?.();
  await expect.poll(() => order).toEqual(["begin 1", "1 lease_lost", "begin 3"]);
  expect(pool.running).toBe(1);
  ends[1]?.();
});

test("a run that fails by a defect frees its slot", async () => {
  const { claim } = queue("a", "b", "c");
  const seen: string[] = [];
  const run = async ({ id }: Lease) => {
    seen.push(id);
    throw new Error("a defect");
  };
  const { pool } = makePool({ claim }, { run });
  await pool.start();
  await expect.poll(() => seen).toEqual(["a", "b", "c"]);
  expect(pool.running).toBe(0);
});

test("stop claims nothing more and waits for the runs to end", async () => {
  const { claim, asked } = queue("a");
  const { pool, runs } = makePool({ claim });
  await pool.start();
  await expect.poll(() => runs.has("a")).toBe(true);
  let stopped = false;
  const stopping = pool.stop().then(() => {
    stopped = true;
  });
  const before = asked.length;
  pool.wake();
  await new Promise(setImmediate);
  expect(stopped).toBe(false);
  runs.get("a")?.end();
  await stopping;
  expect(asked).toHaveLength(before);
});

test("a confirmed plan is resumed before waiting tasks, within the slots", async () => {
  const { claim } = queue("a", "b", "c");
  const waiting = ["plan"];
  const asked: { slots: number; running: string[] }[] = [];
  const { pool, runs, order } = makePool({
    claim,
    parked: async () => waiting.map((id) => ({ id, status: "CONFIRMED" })),
    async resume(slots, running) {
      asked.push({ slots, running });
      return waiting.splice(0, slots).map((id) => ({ id, leaseEpoch: 2 }));
    },
  });
  await pool.start();
  await expect.poll(() => runs.size).toBe(2);
  runs.get("a")?.end();
  await expect.poll(() => runs.has("plan")).toBe(true);
  expect(order).not.toContain("run c");
  expect(asked.at(-1)).toEqual({ slots: 1, running: ["b"] });
});

test("folders of parked tasks that ended are removed, those of runs and of waiting plans are not", async () => {
  const { claim } = queue("runs");
  const cleared: string[] = [];
  const questions: string[][] = [];
  const { pool } = makePool(
    {
      claim,
      parked: async () => [{ id: "waits", status: "WAITING_CONFIRMATION" }],
      async endedAmong(ids) {
        questions.push(ids);
        return ids.filter((id) => id === "ended");
      },
    },
    {
      leftovers: {
        list: async () => (cleared.length > 0 ? [] : ["runs", "waits", "ended", "elsewhere"]),
        clear: async (ids) => void cleared.push(...ids),
        clearAllBut: async () => {},
      },
    },
  );
  await pool.start();
  await expect.poll(() => cleared).toEqual(["ended"]);
  expect(questions.flat()).not.toContain("waits");
});
