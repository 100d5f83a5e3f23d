import { eq, type SQL, sql } from "drizzle-orm";
import { failpoint } from "../../async/failpoint.ts";
import type { Actor } from "../../task/caller.ts";
import { ACTIVE, isFinal, type Status } from "../../task/status.ts";
import type { TaskRecord } from "../../task/types.ts";
import { recordChanges } from "../audit.ts";
import { assertProject } from "../catalog/resources.ts";
import { awayNodes } from "../nodes/abandon.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { isInStatus } from "../postgres/is-one-of.ts";
import { tasks } from "../schema/tasks.ts";
import { oneTask, type TaskView } from "./tasks.ts";
import { type ChangedTask, type Lease, transition } from "./transitions.ts";

export type KillOutcome = "KILLED_BEFORE_START" | "KILL_REQUESTED" | "ALREADY_STOPPING" | "ALREADY_FINAL";

export interface KillRequest {
  force: boolean;
  /** Returns the grace period in milliseconds for a program of this app. */
  graceMs(app: string): number;
  /** Reason for the request, as the caller gave it; empty: none. */
  reason: string;
  /** Name of the caller. */
  by: string;
  /** The caller may kill only tasks that it has created. */
  isOwn?: boolean;
  /** Absent: no audit event is stored. */
  actor?: Actor;
}

/** Statuses in which no process of a task runs, so that a kill ends it at once. */
const IDLE: readonly Status[] = ["WAITING", "WAITING_CONFIRMATION"];

/**
 * Records a kill request under the task's row lock, and ends the task if no process of it runs. The node that owns it
 * reads the request from the store; `awayNode`: the id of that node if it is away.
 * @throws Failure not_found if the task does not exist.
 */
export async function requestKill(
  database: Database,
  task: { project: string; id: string },
  request: KillRequest,
): Promise<{ task: TaskView; outcome: KillOutcome; awayNode: string | undefined }> {
  const name = `projects/${task.project}/tasks/${task.id}`;
  const where = sql`${tasks.id} = ${task.id} AND ${tasks.project} = ${task.project}`;
  return database.run((db) =>
    db.transaction(async (tx) => {
      const outcome = await lockAndRecord(tx, where, request);
      const away = await awayNodes(tx, [task.id]);
      await failpoint("before-kill-commit");
      return { task: await oneTask(tx, where, name), outcome, awayNode: away.get(task.id) };
    }),
  );
}

/** Effect of a kill request on one of many tasks. */
export interface Killed {
  id: string;
  outcome: KillOutcome;
  /** Id of the task's node if it is away, so that the task goes on there until it comes back. */
  awayNode?: string | undefined;
}

/** Number of waiting tasks that one statement stops. */
const BATCH = 1000;

/**
 * Records a kill request for all tasks of a template that have not ended. Waiting tasks are stopped first, so that none
 * of them starts when a running one ends. The result lists the running ones first. No transaction waits for the lock of
 * a task while it holds that of another, so that they cannot deadlock.
 * @throws Failure not_found if the project does not exist.
 */
export async function killTemplate(
  database: Database,
  template: { project: string; name: string },
  request: KillRequest,
): Promise<Killed[]> {
  await database.run((db) => assertProject(db, template.project));
  const stopped: Killed[] = [];
  for (let batch: Lease[] | undefined; batch === undefined || batch.length === BATCH; ) {
    batch = await database.run((db) => db.transaction((tx) => stopWaiting(tx, template, request)));
    stopped.push(...batch.map(({ id }): Killed => ({ id, outcome: "KILLED_BEFORE_START" })));
  }
  const killed: Killed[] = [];
  for (const id of await database.run((db) => openTasks(db, template, request))) {
    const where = eq(tasks.id, id);
    const outcome = await database.run((db) => db.transaction((tx) => lockAndRecord(tx, where, request)));
    killed.push({ id, outcome });
  }
  const ids = killed.map(({ id }) => id);
  const away = await database.run((db) => awayNodes(db, ids));
  return [...killed.map((one) => ({ ...one, awayNode: away.get(one.id) })), ...stopped];
}

const ofTemplate = (template: { project: string; name: string }, { isOwn = false, by }: KillRequest) =>
  sql`${tasks.project} = ${template.project} AND ${tasks.template} = ${template.name}
      AND (NOT ${isOwn}::boolean OR ${tasks.createdBy} = ${by})`;

/** Stops the next tasks in the queue. Skips rows that another transaction has locked to start or end them. */
async function stopWaiting(
  db: Queryable,
  template: { project: string; name: string },
  request: KillRequest,
): Promise<Lease[]> {
  const next = sql`
    SELECT id FROM tasks WHERE ${tasks.status} = 'WAITING' AND ${ofTemplate(template, request)}
    ORDER BY priority DESC NULLS LAST, id LIMIT ${BATCH} FOR UPDATE SKIP LOCKED`;
  const stopped = await stop(
    db,
    sql`${tasks.id} = ANY(ARRAY(${next}))`,
    columnsOf({ ...request, graceMs: () => 0 }, ""),
    request,
  );
  await recordKills(db, request, stopped);
  return stopped;
}

async function recordKills(
  db: Queryable,
  { actor }: KillRequest,
  killed: readonly Pick<TaskRecord, "id" | "project" | "template">[],
): Promise<void> {
  await recordChanges(
    db,
    actor,
    killed.map(({ id, project, template }) => ({ resource: `projects/${project}/tasks/${id}`, template })),
  );
}

async function openTasks(
  db: Queryable,
  template: { project: string; name: string },
  request: KillRequest,
): Promise<string[]> {
  const inStatus = (statuses: readonly Status[]) =>
    sql`SELECT id FROM tasks WHERE ${isInStatus(statuses)} AND ${ofTemplate(template, request)}`;
  const rows = await db.execute<{ id: string }>(
    sql`${inStatus(ACTIVE)} UNION ALL ${inStatus(["WAITING"])} ORDER BY id`,
  );
  return rows.map(({ id }) => id);
}

async function lockAndRecord(tx: Queryable, where: SQL, request: KillRequest): Promise<KillOutcome> {
  const [row] = await tx
    .select({
      id: tasks.id,
      project: tasks.project,
      template: tasks.template,
      status: tasks.status,
      app: tasks.app,
    })
    .from(tasks)
    .where(where)
    .for("update");
  const outcome = row ? await record(tx, row, request) : "ALREADY_FINAL";
  if (row && outcome !== "ALREADY_FINAL") await recordKills(tx, request, [row]);
  return outcome;
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
    await transition(db, { to: "STOPPING", where, set, message: messageOf(request), by: request.by });
    return "KILL_REQUESTED";
  }
  await stop(db, where, set, request);
  return "KILLED_BEFORE_START";
}

const messageOf = ({ reason }: KillRequest) => (reason ? `Killed: ${reason}` : "Stopped by KillTask");

type KillColumns = ReturnType<typeof columnsOf>;

async function stop(
  db: Queryable,
  where: SQL,
  set: KillColumns,
  request: KillRequest,
): Promise<ChangedTask[]> {
  const message = messageOf(request);
  const end = { endReason: "STOPPED_BY_USER", endMessage: message, leaseExpires: null } as const;
  return transition(db, {
    to: "STOPPED",
    from: IDLE,
    where,
    set: { ...set, ...end },
    message,
    by: request.by,
  });
}

/**
 * Returns the columns of a kill request. A repeated request can bring the deadline forward, never put it off, and keeps
 * `force`.
 */
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
