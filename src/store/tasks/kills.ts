import { eq, type SQL, sql } from "drizzle-orm";
import { ACTIVE, isFinal, type Status } from "../../task/status.ts";
import type { TaskRecord } from "../../task/types.ts";
import { assertProject } from "../catalog/resources.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { isInStatus } from "../postgres/is-one-of.ts";
import { tasks } from "../schema/tasks.ts";
import { type Lease, move } from "./moves.ts";
import { oneTask, type TaskView } from "./tasks.ts";

export type KillOutcome = "KILLED_BEFORE_START" | "KILL_REQUESTED" | "ALREADY_STOPPING" | "ALREADY_FINAL";

export interface KillRequest {
  force: boolean;
  /** Milliseconds from the signal that asks a program of this app to end to SIGKILL. */
  graceMs(app: string): number;
  /** For people. */
  reason: string;
  /** Name of the caller. */
  by: string;
}

/** Nothing of it runs: it can be STOPPED at once. */
const IDLE: readonly Status[] = ["WAITING", "WAITING_CONFIRMATION"];

/** Records the request that a task ends, under the task's row lock. Its owner, if it has one, learns of it by itself. */
export async function requestKill(
  database: Database,
  task: { project: string; id: string },
  request: KillRequest,
): Promise<{ task: TaskView; outcome: KillOutcome }> {
  const name = `projects/${task.project}/tasks/${task.id}`;
  const where = sql`${tasks.id} = ${task.id} AND ${tasks.project} = ${task.project}`;
  return database.run((db) =>
    db.transaction(async (tx) => {
      const outcome = await lockAndRecord(tx, where, request);
      return { task: await oneTask(tx, where, name), outcome };
    }),
  );
}

/** What was done to one of many tasks. */
export interface Killed {
  id: string;
  outcome: KillOutcome;
}

/** Waiting tasks that one statement stops. */
const BATCH = 1000;

/**
 * The same for all tasks of a template that have not ended. Those that wait first, so that none of them starts because
 * another one ends; returns those that ran first. No transaction holds the lock of a task while it waits for another's.
 * @throws Failure not_found if there is no such project.
 */
export async function killTemplate(
  database: Database,
  template: { project: string; name: string },
  request: KillRequest,
): Promise<Killed[]> {
  await database.run((db) => assertProject(db, template.project));
  const stopped: Killed[] = [];
  for (let batch: Lease[] | undefined; batch === undefined || batch.length === BATCH; ) {
    batch = await database.run((db) => stopWaiting(db, template, request));
    stopped.push(...batch.map(({ id }): Killed => ({ id, outcome: "KILLED_BEFORE_START" })));
  }
  const killed: Killed[] = [];
  for (const id of await database.run((db) => openTasks(db, template))) {
    const where = eq(tasks.id, id);
    const outcome = await database.run((db) => db.transaction((tx) => lockAndRecord(tx, where, request)));
    killed.push({ id, outcome });
  }
  return [...killed, ...stopped];
}

const ofTemplate = (template: { project: string; name: string }) =>
  sql`${tasks.project} = ${template.project} AND ${tasks.template} = ${template.name}`;

/** The next ones in the queue; passes over what somebody else is just starting or ending. */
async function stopWaiting(
  db: Queryable,
  template: { project: string; name: string },
  request: KillRequest,
): Promise<Lease[]> {
  const next = sql`
    SELECT id FROM tasks WHERE ${tasks.status} = 'WAITING' AND ${ofTemplate(template)}
    ORDER BY priority DESC NULLS LAST, id LIMIT ${BATCH} FOR UPDATE SKIP LOCKED`;
  return stop(
    db,
    sql`${tasks.id} = ANY(ARRAY(${next}))`,
    columnsOf({ ...request, graceMs: () => 0 }, ""),
    request,
  );
}

async function openTasks(db: Queryable, template: { project: string; name: string }): Promise<string[]> {
  const inStatus = (statuses: readonly Status[]) =>
    sql`SELECT id FROM tasks WHERE ${isInStatus(statuses)} AND ${ofTemplate(template)}`;
  const rows = await db.execute<{ id: string }>(
    sql`${inStatus(ACTIVE)} UNION ALL ${inStatus(["WAITING"])} ORDER BY id`,
  );
  return rows.map(({ id }) => id);
}

async function lockAndRecord(tx: Queryable, where: SQL, request: KillRequest): Promise<KillOutcome> {
  const [row] = await tx
    .select({ id: tasks.id, status: tasks.status, app: tasks.app })
    .from(tasks)
    .where(where)
    .for("update");
  return row ? record(tx, row, request) : "ALREADY_FINAL";
}

type Target = Pick<TaskRecord, "id" | "status" | "app">;

async function record(
  db: Queryable,
  { id, status, app }: Target,
  request: KillRequest,
): Promise<KillOutcome> {
  if (isFinal(status)) return "ALREADY_FINAL";
  const where = eq(tasks.id, id);
  const set = columnsOf(request, app);
  if (status === "STOPPING") {
    await db.update(tasks).set({ killForce: set.killForce, killDeadline: set.killDeadline }).where(where);
    return "ALREADY_STOPPING";
  }
  if (!IDLE.includes(status)) {
    await move(db, { to: "STOPPING", where, set, message: messageOf(request), by: request.by });
    return "KILL_REQUESTED";
  }
  await stop(db, where, set, request);
  return "KILLED_BEFORE_START";
}

const messageOf = ({ reason }: KillRequest) => (reason ? `Killed: ${reason}` : "Stopped by KillTask");

type KillColumns = ReturnType<typeof columnsOf>;

async function stop(db: Queryable, where: SQL, set: KillColumns, request: KillRequest): Promise<Lease[]> {
  const message = messageOf(request);
  const end = { endReason: "STOPPED_BY_USER", endMessage: message, leaseExpires: null } as const;
  return move(db, { to: "STOPPED", from: IDLE, where, set: { ...set, ...end }, message, by: request.by });
}

/** A repeated request may shorten the deadline, never lengthen it, and never takes `force` back. */
function columnsOf(request: KillRequest, app: string) {
  const graceMs = request.force ? 0 : request.graceMs(app);
  return {
    killTime: sql`coalesce(${tasks.killTime}, clock_timestamp())`,
    killForce: sql`${tasks.killForce} OR ${request.force}`,
    killDeadline: sql`least(${tasks.killDeadline}, clock_timestamp() + ${`${graceMs} ms`}::interval)`,
    killReason: request.reason,
    killBy: request.by,
  };
}
