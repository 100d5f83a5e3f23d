import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { FAILPOINTS, type Failpoint } from "../../../src/async/failpoint.ts";
import type { Random } from "../../fuzz/random.ts";
import type { Armed } from "./armed-failpoint.ts";
import { LEASE_SECONDS } from "./build.ts";
import type { Caller } from "./clients.ts";
import { type Cluster, type Server, within } from "./cluster.ts";

/*
 * The faults of the suite. Faults of servers are shared out to three lanes, one for each server, each of which brings its
 * server back after every fault. A fourth lane has the faults of PostgreSQL.
 */

export interface Stage {
  cluster: Cluster;
  caller: Caller;
  random: Random;
  /** Reports a fault that took place, or a point that was not reached. */
  note(text: string): void;
}

export interface ServerFaultError {
  name: string;
  strike(stage: Stage, server: Server): Promise<void>;
}

const POINTS = Object.keys(FAILPOINTS) as Failpoint[];
/** Points inside of database work that is repeated after a lost connection. */
const RETRIED: readonly Failpoint[] = [
  "before-submit-commit",
  "before-claim-commit",
  "before-log-commit",
  "after-log-commit",
  "before-finish-commit",
  "after-finish",
  "before-kill-commit",
  "before-renew",
  "before-put-back",
  "before-event-position",
  "after-event-position",
];
/** Points inside of transactions that other servers may overtake. */
const OPEN: readonly Failpoint[] = ["before-submit-commit", "before-finish-commit", "after-event-position"];

const REACH_MS = 6000;
const BEYOND_LEASE_MS = (LEASE_SECONDS + 2) * 1000;
const TWO_LEASES_MS = 2 * LEASE_SECONDS * 1000;

/** Arms a point and waits until it was reached. */
async function reach({ note }: Stage, server: Server, point: Failpoint, armed: Armed): Promise<boolean> {
  await server.arm(point, armed);
  const hits: string[] = [];
  const isReached = await within(REACH_MS, async () => {
    hits.push(...(await server.hits()));
    return hits.some((hit) => hit.startsWith(`${point} `));
  });
  note(`${point} ${armed.action.kind}${isReached ? "" : ": not reached"}`);
  if (!isReached) await server.disarm(point);
  return isReached;
}

const killAt = (point: Failpoint): ServerFaultError => ({
  name: `SIGKILL at ${point}`,
  async strike(stage, server) {
    const nth = point === "after-adopt" ? 1 : 1 + stage.random.below(2);
    if (point === "after-adopt") server.service.process.kill("SIGKILL");
    const reached = reach(stage, server, point, { nth, action: { kind: "kill" } });
    if (point === "after-adopt") await within(REACH_MS, () => !server.isAlive()).then(() => server.revive());
    if (await reached) await within(REACH_MS, () => !server.isAlive());
  },
});

const pauseAt = (point: Failpoint, ms: number, times = 1): ServerFaultError => ({
  name: `pause at ${point}`,
  async strike(stage, server) {
    if (await reach(stage, server, point, { times, action: { kind: "pause", ms } })) await delay(ms);
    await server.disarm(point);
  },
});

const throwAt = (point: Failpoint): ServerFaultError => ({
  name: `lost connection at ${point}`,
  strike: async (stage, server) =>
    void (await reach(stage, server, point, { times: 2, action: { kind: "throw" } })),
});

const KILL: ServerFaultError = {
  name: "SIGKILL",
  async strike({ random, note }, server) {
    await delay(random.below(1500));
    note("SIGKILL");
    server.service.process.kill("SIGKILL");
    await within(REACH_MS, () => !server.isAlive());
  },
};

const ROLL: ServerFaultError = {
  name: "SIGTERM",
  async strike({ note }, server) {
    note("SIGTERM");
    await server.service.kill("SIGTERM");
  },
};

const stop = (ms: number): ServerFaultError => ({
  name: `SIGSTOP for ${ms} ms`,
  async strike({ note }, server) {
    note(`SIGSTOP for ${ms} ms`);
    server.service.process.kill("SIGSTOP");
    await delay(ms);
    server.service.process.kill("SIGCONT");
  },
});

/** Loses all notifications from now on: the last tasks end unannounced. */
export async function mute({ servers }: Cluster): Promise<void> {
  for (const server of servers)
    await server.arm("before-notify", { times: Number.MAX_SAFE_INTEGER, action: { kind: "throw" } });
}

/** A task is prepared while its server cannot renew its lease: another server starts it, and this one must not. */
const LAPSE: ServerFaultError = {
  name: "a lease that ends before the start",
  async strike(stage, server) {
    const file = join(stage.cluster.folder, `hold-${server.number}`);
    writeFileSync(file, "");
    const hold: Armed = { action: { kind: "hold", file } };
    await server.arm("before-renew", hold);
    await server.arm("before-put-back", hold);
    if (await reach(stage, server, "before-running", hold)) await delay(BEYOND_LEASE_MS);
    for (const point of ["before-renew", "before-put-back"] as const) await server.disarm(point);
    rmSync(file);
  },
};

/** A task is killed by another server while it is prepared. */
const KILL_BEFORE_START: ServerFaultError = {
  name: "a kill between claim and start",
  async strike(stage, server) {
    const { cluster, caller, note } = stage;
    const file = join(cluster.folder, `hold-${server.number}`);
    writeFileSync(file, "");
    if (await reach(stage, server, "before-running", { action: { kind: "hold", file } })) {
      const found = await cluster.sql<{ id: string }[]>`
        SELECT id FROM tasks WHERE node = ${server.node} AND status = 'STARTING'`.catch(() => []);
      for (const { id } of found) note(`kill of a STARTING task: ${(await caller.kill(id, false)).outcome}`);
    }
    rmSync(file);
  },
};

/** Faults that no server ends by. They come first, so that each server lives long enough to judge the others. */
export const GENTLE_FAULTS: readonly ServerFaultError[] = [
  ...RETRIED.map(throwAt),
  ...OPEN.map((point) => pauseAt(point, 1500)),
  pauseAt("between-watch-reads", 300, 30),
  pauseAt("before-log-commit", 500, 3),
  LAPSE,
  KILL_BEFORE_START,
];

/** Faults that end a server, or stop it. */
export const ROUGH_FAULTS: readonly ServerFaultError[] = [
  ...POINTS.map(killAt),
  KILL,
  ROLL,
  stop(300),
  stop(TWO_LEASES_MS),
];

/** Faults of PostgreSQL, each at least once. */
export const DATABASE_FAULTS: readonly { name: string; strike(stage: Stage): Promise<unknown> }[] = [
  { name: "pg_ctl stop -m immediate", strike: ({ cluster }) => cluster.crashPostgres() },
  { name: "all sessions terminated", strike: (stage) => terminate(stage, "%", 1000) },
  { name: "some sessions terminated", strike: (stage) => terminate(stage, "%", 5) },
  { name: "LISTEN terminated", strike: (stage) => terminate(stage, "bus", 1000) },
  { name: "logins refused", strike: (stage) => refuse(stage, "NOLOGIN", "LOGIN") },
  {
    name: "read-only",
    strike: (stage) => refuse(stage, "SET default_transaction_read_only = on", "RESET ALL"),
  },
  {
    name: "tables locked",
    strike: ({ cluster: { sql } }) => unlessDeadlock(() => lockTables(sql)),
  },
];

/** Milliseconds for which PostgreSQL refuses work. */
const TROUBLE_MS = 2500;

async function lockTables(sql: Stage["cluster"]["sql"]): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`LOCK TABLE tasks, task_heads, log_chunks IN ACCESS EXCLUSIVE MODE`;
    await delay(TROUBLE_MS);
  });
}

/** Repeats work whose transaction PostgreSQL has ended to resolve a deadlock with a server's. */
async function unlessDeadlock(work: () => Promise<void>): Promise<void> {
  for (;;)
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "40P01")) throw error;
    }
}

/** Changes the role of the servers for a while, and ends their sessions before and after. */
async function refuse(stage: Stage, change: string, back: string): Promise<void> {
  const { sql } = stage.cluster;
  await sql.unsafe(`ALTER ROLE signalman ${change}`);
  await terminate(stage, "%", 1000);
  await delay(TROUBLE_MS);
  await sql.unsafe(`ALTER ROLE signalman ${back}`);
  await terminate(stage, "%", 1000);
}

async function terminate({ cluster: { sql } }: Stage, pool: string, most: number): Promise<void> {
  await sql`
    SELECT pg_terminate_backend(pid) FROM (
      SELECT pid FROM pg_stat_activity WHERE application_name LIKE ${`signalman ${pool}`}
      ORDER BY random() LIMIT ${most}) AS chosen`;
}
