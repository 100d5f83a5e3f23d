import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import { Failure, notFound } from "../task/errors.ts";
import type { Status } from "../task/status.ts";
import type { TaskRecord } from "../task/types.ts";
import type { Database, Queryable } from "./database.ts";
import { taskHeads, taskRequests, tasks } from "./schema/tasks.ts";
import { takeVersion } from "./versions.ts";

/** A task with the number of its last stored line. */
export type TaskView = TaskRecord & { lastSeq: number };

/** What RunTask stores. */
export type NewTask = Pick<
  TaskRecord,
  "project" | "template" | "app" | "priority" | "labels" | "spec" | "secrets"
> &
  Partial<Pick<TaskRecord, "buildTask" | "incomingVersion">> & {
    /** The first version of the template's tasks. Empty or absent: they have none. */
    startVersion?: string;
  };

/** A caller's request id, and a hash of what it asked for. */
export interface RequestKey {
  id: string;
  bodyHash: Buffer;
}

/** How long a request id is remembered, as a PostgreSQL interval. */
const REQUEST_MEMORY = "48 hours";

/** Stores a waiting task; with a request id, only once. */
export async function createTask(
  database: Database,
  task: NewTask,
  request?: RequestKey,
): Promise<{ task: TaskView; deduplicated: boolean }> {
  return database.run(async (db) => {
    if (!request && !task.startVersion) return { task: await insertTask(db, task), deduplicated: false };
    return db.transaction(async (tx) => {
      // Before an id is made: the order of ids is that of versions.
      const version = await takeVersion(tx, task);
      if (!request) return { task: await insertTask(tx, task, { version }), deduplicated: false };
      const [made] = await tx
        .insert(taskRequests)
        .values({
          requestId: request.id,
          taskId: sql`uuid_v7(clock_timestamp())`,
          bodyHash: request.bodyHash,
        })
        .onConflictDoNothing()
        .returning();
      if (made) {
        const id = sql`${made.taskId}::uuid`;
        return { task: await insertTask(tx, task, { version, id }), deduplicated: false };
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

/** Stores a waiting task with its head and its first event, in one statement. */
export async function insertTask(
  db: Queryable,
  task: NewTask,
  { id = sql`uuid_v7(clock_timestamp())`, version = "" }: { id?: SQL; version?: string } = {},
): Promise<TaskView> {
  const wait = task.spec.queueTimeoutMs;
  const insert = db
    .insert(tasks)
    .values({
      ...task,
      id,
      version,
      status: "WAITING",
      // As precise as it is shown, so that a filter by the shown time finds it.
      createTime: sql`date_trunc('milliseconds', clock_timestamp())`,
      queueDeadline: wait === undefined ? null : sql`clock_timestamp() + ${`${wait} ms`}::interval`,
    })
    .returning({ id: tasks.id, createTime: tasks.createTime, queueDeadline: tasks.queueDeadline });
  const rows = await db.execute<{ id: string; made: string; due: string | null }>(sql`
    WITH made AS ${insert},
    head AS (INSERT INTO task_heads (task_id, events) SELECT id, 1 FROM made),
    event AS (
      INSERT INTO task_events (task_id, ordinal, status, time, after_seq)
      SELECT id, 1, 'WAITING', create_time, 0 FROM made)
    SELECT id, extract(epoch FROM create_time) * 1000 AS made, extract(epoch FROM queue_deadline) * 1000 AS due
    FROM made`);
  const { id: made = "", made: at = "0", due = null } = rows[0] ?? {};
  const queueDeadline = due === null ? null : new Date(Number(due));
  return { ...blankTask(task), id: made, version, createTime: new Date(Number(at)), queueDeadline };
}

/** A waiting task as it would be stored, without what the database gives it. */
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
    version: "",
    commitHash: "",
    commitMessage: "",
    node: null,
    bootId: null,
    leaseEpoch: 0,
    killTime: null,
    killForce: false,
    killDeadline: null,
    killReason: "",
    endTime: null,
    exitCode: null,
    signal: null,
    endReason: null,
    endMessage: "",
    lastSeq: 0,
  };
}

export async function getTask(database: Database, project: string, id: string): Promise<TaskView> {
  const name = `projects/${project}/tasks/${id}`;
  return database.run((db) => oneTask(db, and(eq(tasks.id, id), eq(tasks.project, project)), name));
}

/** @throws Failure not_found that says `name`. */
export async function oneTask(db: Queryable, where: SQL | undefined, name: string): Promise<TaskView> {
  const [row] = await selectTasks(db).where(where);
  if (!row) throw notFound(name);
  return { ...row.tasks, lastSeq: row.lastSeq };
}

function selectTasks(db: Queryable) {
  return db
    .select({ tasks, lastSeq: taskHeads.lastSeq })
    .from(tasks)
    .innerJoin(taskHeads, eq(taskHeads.taskId, tasks.id));
}

/** One term of a list filter; `value` has been checked. */
export type TaskTerm =
  | { field: "status"; op: "=" | "!="; value: Status }
  | { field: "template"; op: "=" | "!="; project: string | null; value: string }
  | { field: "create_time"; op: "=" | "!=" | "<" | "<=" | ">" | ">="; value: Date }
  | { field: "label"; key: string; value: string };

export interface TaskQuery {
  /** Null: all projects. */
  project: string | null;
  /** All of them hold. */
  terms: readonly TaskTerm[];
  /** Only tasks made before this one. */
  before: string | null;
  limit: number;
}

/** The newest first. */
export async function listTasks(database: Database, query: TaskQuery): Promise<TaskView[]> {
  const conditions = query.terms.map(condition);
  if (query.project !== null) conditions.push(eq(tasks.project, query.project));
  if (query.before !== null) conditions.push(lt(tasks.id, query.before));
  const rows = await database.run((db) =>
    selectTasks(db)
      .where(and(...conditions))
      .orderBy(desc(tasks.id))
      .limit(query.limit),
  );
  return rows.map((row) => ({ ...row.tasks, lastSeq: row.lastSeq }));
}

const COLUMNS = { status: tasks.status, template: tasks.template, create_time: tasks.createTime };

function condition(term: TaskTerm): SQL {
  if (term.field === "template" && term.project !== null) {
    const isIt = sql`(${tasks.project} = ${term.project} AND ${tasks.template} = ${term.value})`;
    return term.op === "=" ? isIt : sql`NOT ${isIt}`;
  }
  if (term.field === "label")
    return sql`${tasks.labels} @> ${JSON.stringify({ [term.key]: term.value })}::jsonb`;
  const value =
    term.value instanceof Date ? sql`${term.value.toISOString()}::timestamptz` : sql`${term.value}`;
  return sql`${COLUMNS[term.field]} ${sql.raw(term.op)} ${value}`;
}

/** What was checked out, once it is known. */
export async function recordCommit(
  database: Database,
  id: string,
  hash: string,
  message: string,
): Promise<void> {
  await database.run((db) =>
    db.update(tasks).set({ commitHash: hash, commitMessage: message }).where(eq(tasks.id, id)),
  );
}

/** Forgets request ids of long ago. */
export async function forgetRequests(database: Database): Promise<void> {
  await database.run((db) =>
    db.delete(taskRequests).where(sql`${taskRequests.createTime} < now() - ${REQUEST_MEMORY}::interval`),
  );
}
