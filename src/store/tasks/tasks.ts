import { and, eq, type SQL, sql } from "drizzle-orm";
import { failpoint } from "../../async/failpoint.ts";
import type { Actor } from "../../task/caller.ts";
import { Failure, notFound } from "../../task/errors.ts";
import type { TaskRecord } from "../../task/types.ts";
import { type ActorValues, actorValues, insertForTasks } from "../audit.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { builder, statement } from "../postgres/statement.ts";
import { violatedConstraint } from "../postgres/transient-errors.ts";
import { taskHeads, taskRequests, tasks } from "../schema/tasks.ts";
import { takeVersion } from "./versions.ts";

/** A task with the number of its last stored line. */
export type TaskView = TaskRecord & { lastSeq: number };

/** A task to create. */
export type NewTask = Pick<
  TaskRecord,
  "project" | "template" | "app" | "priority" | "labels" | "spec" | "secrets" | "createdBy"
> &
  Partial<Pick<TaskRecord, "buildTask" | "incomingVersion">> & {
    /** First version of the template's tasks; empty or absent: its tasks have no versions. */
    startVersion?: string;
  };

/** A caller's request id, and the hash of its request. */
export interface RequestKey {
  id: string;
  bodyHash: Buffer;
}

/** Time after which a request id may be used again, as a PostgreSQL interval. */
const REQUEST_MEMORY = "48 hours";

/**
 * Stores a waiting task. A repeated request id returns the task that its first use created.
 * @throws Failure not_found if the project does not exist; already_exists if the request id was used with another body.
 */
export async function createTask(
  database: Database,
  task: NewTask,
  request?: RequestKey,
  actor?: Actor,
): Promise<{ task: TaskView; deduplicated: boolean }> {
  return storeNew(database, task, request, actor).catch((error: unknown) => {
    if (violatedConstraint(error) !== "tasks_project_projects_name_fk") throw error;
    throw notFound(`projects/${task.project}`);
  });
}

function storeNew(
  database: Database,
  task: NewTask,
  request: RequestKey | undefined,
  actor: Actor | undefined,
) {
  return database.run(async (db) => {
    if (!request && !task.startVersion)
      return { task: await insertTask(db, task, { actor }), deduplicated: false };
    return db.transaction(async (tx) => {
      // Taken before the id, under a lock, so that ids and versions have the same order.
      const version = await takeVersion(tx, task);
      if (!request) return { task: await insertTask(tx, task, { version, actor }), deduplicated: false };
      const [made] = await tx
        .insert(taskRequests)
        .values({
          requestId: request.id,
          taskId: NOW.id,
          createTime: NOW.time,
          bodyHash: request.bodyHash,
        })
        .onConflictDoNothing()
        .returning();
      if (made) {
        const key = { id: made.taskId, time: made.createTime.toISOString() };
        const created = await insertTask(tx, task, { version, actor, ...key });
        await failpoint("before-submit-commit");
        return { task: created, deduplicated: false };
      }
      return { task: await earlierTask(tx, request), deduplicated: true };
    });
  });
}

async function earlierTask(db: Queryable, request: RequestKey): Promise<TaskView> {
  const [known] = await db.select().from(taskRequests).where(eq(taskRequests.requestId, request.id));
  if (!known?.bodyHash.equals(request.bodyHash)) {
    throw new Failure("already_exists", `request_id ${request.id} was used before, with another body`, {
      reason: "REQUEST_ID_REUSED",
      resource: request.id,
    });
  }
  return oneTask(db, eq(tasks.id, known.taskId), `the task that request_id ${request.id} made`);
}

/** Id and time of creation, both from the same time, so that tasks have the same order by either. */
const NOW = { id: sql`uuid_v7(statement_timestamp())`, time: sql`statement_timestamp()` };

/** Values of the statement below, as the driver takes them. `id`, `time`: null generates them. `wait`: an interval. */
interface Waiting
  extends ActorValues,
    Required<Pick<TaskRecord, "project" | "template" | "app" | "priority" | "secrets" | "createdBy">> {
  labels: string;
  spec: string;
  buildTask: string | null;
  incomingVersion: string;
  version: string;
  id: string | null;
  time: string | null;
  wait: string | null;
}

const insertWaiting = statement<Waiting, { id: string; made: string; due: string | null }>((at) => {
  const insert = builder
    .insert(tasks)
    .values({
      project: at.project,
      template: at.template,
      app: at.app,
      priority: at.priority,
      labels: at.labels,
      spec: at.spec,
      secrets: at.secrets,
      createdBy: at.createdBy,
      buildTask: at.buildTask,
      incomingVersion: at.incomingVersion,
      version: at.version,
      status: "WAITING",
      id: sql`coalesce(${at.id}::uuid, ${NOW.id})`,
      // Truncated to the milliseconds that callers see, so that a filter by that time finds the task.
      createTime: sql`date_trunc('milliseconds', coalesce(${at.time}::timestamptz, ${NOW.time}))`,
      queueDeadline: sql`clock_timestamp() + ${at.wait}::interval`,
    })
    .returning({
      id: tasks.id,
      createTime: tasks.createTime,
      createdBy: tasks.createdBy,
      queueDeadline: tasks.queueDeadline,
      project: tasks.project,
      template: tasks.template,
    });
  return sql`
    WITH made AS ${insert},
    head AS (INSERT INTO task_heads (task_id, events) SELECT id, 1 FROM made),
    event AS (
      INSERT INTO task_events (task_id, ordinal, status, time, after_seq, by)
      SELECT id, 1, 'WAITING', create_time, 0, created_by FROM made),
    audit AS (${insertForTasks(at)})
    SELECT id, extract(epoch FROM create_time) * 1000 AS made, extract(epoch FROM queue_deadline) * 1000 AS due
    FROM made`;
});

/** Stores a waiting task with its head, its first event and its audit event, in one statement. */
export async function insertTask(
  db: Queryable,
  task: NewTask,
  {
    id = null,
    time = null,
    version = "",
    actor,
  }: Partial<Pick<Waiting, "id" | "time" | "version">> & { actor?: Actor | undefined } = {},
): Promise<TaskView> {
  const wait = task.spec.queueTimeoutMs;
  const rows = await insertWaiting(db, {
    ...task,
    labels: JSON.stringify(task.labels),
    spec: JSON.stringify(task.spec),
    buildTask: task.buildTask ?? null,
    incomingVersion: task.incomingVersion ?? "",
    version,
    id,
    time,
    wait: wait === undefined ? null : `${wait} ms`,
    ...actorValues(actor),
  });
  const { id: made = "", made: at = "0", due = null } = rows[0] ?? {};
  const queueDeadline = due === null ? null : new Date(Number(due));
  return { ...blankTask(task), id: made, version, createTime: new Date(Number(at)), queueDeadline };
}

/** Returns a waiting task as it would be stored, without the values that the database generates. */
export function blankTask({ startVersion: _, ...task }: NewTask): TaskView {
  return {
    buildTask: null,
    incomingVersion: "",
    ...task,
    id: "",
    status: "WAITING",
    createTime: new Date(0),
    startTime: null,
    queueDeadline: null,
    runDeadline: null,
    confirmDeadline: null,
    plan: null,
    decidedBy: "",
    version: "",
    commitHash: "",
    commitMessage: "",
    node: null,
    executor: "local",
    executorHandle: null,
    leaseEpoch: 0,
    killTime: null,
    killForce: false,
    killDeadline: null,
    killReason: "",
    killBy: "",
    endTime: null,
    exitCode: null,
    signal: null,
    endReason: null,
    endMessage: "",
    mayStillRun: false,
    lastSeq: 0,
  };
}

/** Returns a task. @throws Failure not_found if it does not exist in the project. */
export async function getTask(database: Database, project: string, id: string): Promise<TaskView> {
  const name = `projects/${project}/tasks/${id}`;
  return database.run((db) => oneTask(db, and(eq(tasks.id, id), eq(tasks.project, project)), name));
}

/** Returns the task that `where` selects. @throws Failure not_found with `name` if there is none. */
export async function oneTask(db: Queryable, where: SQL | undefined, name: string): Promise<TaskView> {
  const [row] = await selectTasks(db).where(where);
  if (!row) throw notFound(name);
  return { ...row.tasks, lastSeq: row.lastSeq };
}

/** Last line number of each row. A subquery, since a join may make PostgreSQL merge all tasks with all heads. */
const lastSeq = sql<number>`(SELECT h.last_seq FROM ${taskHeads} h WHERE h.task_id = ${tasks.id})`.mapWith(
  Number,
);

/** Selects tasks with their last line number and the columns of `more`. */
export function selectTasks<M extends Record<string, SQL>>(db: Queryable, more: M = {} as M) {
  return db.select({ tasks, lastSeq, ...more }).from(tasks);
}

/** Deletes request ids that are older than REQUEST_MEMORY. */
export async function forgetRequests(database: Database): Promise<void> {
  await database.run((db) =>
    db.delete(taskRequests).where(sql`${taskRequests.createTime} < now() - ${REQUEST_MEMORY}::interval`),
  );
}
