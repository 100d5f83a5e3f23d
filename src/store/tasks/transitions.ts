/*
 * The room store/ has all SQL: schema/ and migrations/, postgres/ (connections, retries, notifications), catalog/
 * (resources), logs/ (chunks) and tasks/ (one file for each group of queries). Other rooms call its functions and see
 * records, never tables.
 *
 * This file changes the status of tasks. One statement changes the row, counts the event in the task's head and stores
 * the event, so that status, events and line numbers always agree. It locks the task before its head, like all
 * statements that lock both, so that concurrent changes wait instead of deadlocking. Which status may
 * follow which is read from the table in task/status.ts.
 *
 * A node writes under its lease: each write names the epoch, and changes nothing once another node has claimed the task
 * (LeaseLostError). If the connection breaks during a commit, its result is unknown. Writes are therefore idempotent and the
 * callers repeat them (retryTransient).
 */

import { and, eq, type SQL, sql } from "drizzle-orm";
import { failpoint } from "../../async/failpoint.ts";
import type { Actor } from "../../task/caller.ts";
import { LeaseLostError } from "../../task/errors.ts";
import { FINAL, type Status, sourcesOf } from "../../task/status.ts";
import type { TaskOutcome, TaskRecord } from "../../task/types.ts";
import { type StoredChunk, storeChunks } from "../logs/logs.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { isInStatus } from "../postgres/is-one-of.ts";
import { builder, type Places, statement } from "../postgres/statement.ts";
import { storableText } from "../postgres/storable.ts";
import { tasks } from "../schema/tasks.ts";
import { insertTask, type NewTask } from "./tasks.ts";

type Columns = Parameters<ReturnType<Queryable["update"]>["set"]>[0];

/** A change of the status of tasks. `from`: source statuses; by default all that the status table allows. `set`: other columns. */
export interface Transition {
  to: Status;
  where: SQL | undefined;
  from?: readonly Status[];
  set?: Columns;
  /** Text of the event, for users. */
  message?: string | SQL;
  /** Name of the caller who caused the change; absent: the service did. */
  by?: string;
}

/** A task whose status was changed, as it is now. */
export type ChangedTask = Pick<
  TaskRecord,
  "id" | "leaseEpoch" | "project" | "template" | "status" | "node" | "endReason"
> & {
  /** Milliseconds since the task was created. */
  ageMs: number;
};

/**
 * Changes the status of tasks and stores the event, in one statement. The row lock of the head puts the event into
 * one order with the log lines. Returns the changed tasks. A task that is missing was not in a source status,
 * or not under the epoch that `where` names.
 */
export async function transition(db: Queryable, step: Transition): Promise<ChangedTask[]> {
  return db.execute<ChangedTask & Record<string, unknown>>(transitionOf(step));
}

/** Returns the statement of a transition. */
export function transitionOf({
  to,
  where,
  from = sourcesOf(to),
  set,
  message = "",
  by = "",
}: Transition): SQL {
  const ended = FINAL.includes(to) ? { endTime: sql`clock_timestamp()`, secrets: null } : {};
  const update = builder
    .update(tasks)
    .set({ ...ended, ...set, status: to })
    .where(and(isInStatus(from), where))
    .returning({
      id: tasks.id,
      leaseEpoch: tasks.leaseEpoch,
      project: tasks.project,
      template: tasks.template,
      node: tasks.node,
      endReason: tasks.endReason,
      createTime: tasks.createTime,
    });
  return sql`
    WITH changed AS ${update},
    head AS (
      UPDATE task_heads h SET events = h.events + 1, lease_epoch = changed.lease_epoch
      FROM changed WHERE h.task_id = changed.id
      RETURNING changed.*, h.events, h.last_seq),
    event AS (
      INSERT INTO task_events (task_id, ordinal, status, time, after_seq, message, by)
      SELECT id, events, ${to}, clock_timestamp(), last_seq, ${message}, ${by} FROM head)
    SELECT id, lease_epoch AS "leaseEpoch", project, template, ${to}::text AS status, node, end_reason AS "endReason",
           (extract(epoch FROM clock_timestamp() - create_time) * 1000)::float8 AS "ageMs" FROM head`;
}

/** A task and the epoch under which its owner claimed it. */
export type Lease = Pick<TaskRecord, "id" | "leaseEpoch">;

export const underLease = (lease: Lease | Places<Lease>) =>
  and(eq(tasks.id, lease.id), eq(tasks.leaseEpoch, lease.leaseEpoch));

/**
 * Changes a task from STARTING or CONFIRMED to RUNNING. Committed before the program is started; from then on only this
 * node may take the task up again. The run deadline counts from here, for each of the two programs of a confirmed plan.
 * Resolves to false if the task was killed meanwhile.
 * @throws LeaseLostError if the task has another epoch.
 */
export async function markRunning(
  database: Database,
  task: Lease & Pick<TaskRecord, "spec">,
  handle: string,
): Promise<boolean> {
  const { id, leaseEpoch, spec } = task;
  const limit = spec.runTimeoutMs === undefined ? null : `${spec.runTimeoutMs} ms`;
  const { applied } = await owned(database, task, {
    to: "RUNNING",
    transition: (db) => toRunning(db, { id, leaseEpoch, handle, limit }),
  });
  return applied;
}

/** `limit`: a PostgreSQL interval; null: none. */
const toRunning = statement<Lease & { handle: string; limit: string | null }, Lease>((at) =>
  transitionOf({
    to: "RUNNING",
    where: underLease(at),
    set: {
      startTime: sql`coalesce(${tasks.startTime}, clock_timestamp())`,
      executorHandle: at.handle,
      runDeadline: sql`clock_timestamp() + ${at.limit}::interval`,
    },
  }),
);

/** Rows that are committed together with a task's end. */
export interface Ending {
  /** The last lines of its log. */
  last?: StoredChunk;
  /** Tasks to create because of the end. */
  followers?: readonly NewTask[];
}

/**
 * Commits the last chunk, the final status and the tasks that follow together. `applied` is false if the task's status
 * does not allow this outcome because the task was killed meanwhile; the chunk is stored then, but no task follows.
 * `followers` has the ids of the tasks created. It is empty if an earlier attempt, whose result was unknown, created
 * them.
 * @throws LeaseLostError if the task has another epoch.
 */
export async function finish(
  database: Database,
  task: Lease,
  outcome: TaskOutcome,
  ending: Ending = {},
): Promise<{ applied: boolean; followers: string[] }> {
  const { id, leaseEpoch } = task;
  const { status, exitCode, signal, reason } = outcome;
  const values = { id, leaseEpoch, exitCode, signal, reason, message: storableText(outcome.message) };
  return owned(database, task, { to: status, transition: (db) => TO_END[status](db, values) }, ending);
}

type EndValues = Lease & Pick<TaskOutcome, "exitCode" | "signal" | "reason" | "message">;

const toEnd = (to: TaskOutcome["status"]) =>
  statement<EndValues, Lease>((at) =>
    transitionOf({
      to,
      where: underLease(at),
      message: at.message,
      set: {
        exitCode: at.exitCode,
        signal: at.signal,
        endReason: at.reason,
        endMessage: at.message,
        leaseExpires: null,
      },
    }),
  );

const TO_END = { SUCCESS: toEnd("SUCCESS"), ERROR: toEnd("ERROR"), STOPPED: toEnd("STOPPED") };

/** A change of status by the node that owns the task. */
interface Step {
  to: Status;
  transition(db: Queryable): PromiseLike<Lease[]>;
}

/**
 * Makes a transition under a lease. `applied` is also true if the task already has the status, since an attempt whose result
 * was unknown may have been committed.
 */
async function owned(
  database: Database,
  lease: Lease,
  step: Step,
  ending: Ending = {},
): Promise<{ applied: boolean; followers: string[] }> {
  return database.run(async (db) => {
    const isAlone = !ending.last && !ending.followers?.length;
    const { changed, followers } = await (isAlone
      ? { changed: await step.transition(db), followers: [] }
      : db.transaction((tx) => transitionWith(tx, lease, step, ending)));
    if (changed.length === 1) return { applied: true, followers };
    const [now] = await db.select({ status: tasks.status }).from(tasks).where(underLease(lease));
    if (!now) throw new LeaseLostError(lease.id);
    return { applied: now.status === step.to, followers };
  });
}

/** A deploy starts in the name of the build's creator. */
const autorunOf = ({ createdBy }: NewTask): Actor => ({
  caller: createdBy,
  address: "",
  method: "autorun",
  requestId: "",
  fields: [],
});

/**
 * Locks in the order of every status change (task, then head), so that a concurrent kill waits instead of deadlocking.
 */
async function transitionWith(tx: Queryable, lease: Lease, step: Step, { last, followers = [] }: Ending) {
  const locked = tx.select({ id: tasks.id }).from(tasks).where(underLease(lease)).for("update").execute();
  await Promise.all([locked, last && storeChunks(tx, lease, [last])]);
  const changed = await step.transition(tx);
  const made: string[] = [];
  if (changed.length === 1)
    for (const task of followers) made.push((await insertTask(tx, task, { actor: autorunOf(task) })).id);
  await failpoint("before-finish-commit");
  return { changed, followers: made };
}
