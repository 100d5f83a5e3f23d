import { and, eq, inArray, type SQL, sql } from "drizzle-orm";
import { failpoint } from "../../async/failpoint.ts";
import { FINAL, STATUSES, type Status } from "../../task/status.ts";
import type { StatusEvent } from "../../task/types.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { taskEvents, taskHeads, tasks } from "../schema/tasks.ts";
import { EVERYTHING } from "./scopes.ts";
import { type FixedTerm, runnerOf, selected, type TaskSelection } from "./task-terms.ts";
import { selectTasks, type TaskView } from "./tasks.ts";

/*
 * Puts the events of all tasks into one order, which WatchTasks uses as its cursor. Positions are assigned after the
 * commit of the events, by one server at a time. A sequence value assigned while an event is written would not do,
 * since transactions commit in another order. A reader that sees a position therefore sees all lower ones, and one
 * number says which events a watcher has received.
 */

/** Key of the advisory lock. Arbitrary, but the same in every version of Signalman. */
const PLACE_LOCK = 5_410_254;
/** Number of events that one transaction places. */
const BATCH = 5000;

/** Progress of placing events. */
export interface Placing {
  /** Highest position that has been assigned. */
  tip: number;
  /** Whether every event that was committed before this call has its position assigned. */
  isDone: boolean;
}

/** Assigns positions to events that have none. Does not wait while another server does so; `isDone` is false then. */
export async function placeEvents(database: Database): Promise<Placing> {
  return database.run(async (db) => {
    const [seen] = await db.execute<{ tip: string; rest: boolean }>(sql`
      SELECT coalesce(max(position), 0) AS tip, EXISTS (SELECT 1 FROM task_events WHERE position IS NULL) AS rest
      FROM task_events`);
    const tip = Number(seen?.tip ?? 0);
    if (!seen?.rest) return { tip, isDone: true };
    const placed = await db.transaction(placeBatch);
    return {
      tip: Math.max(tip, Number(placed?.tip ?? 0)),
      isDone: placed !== undefined && placed.count < BATCH,
    };
  });
}

/**
 * Places one batch; undefined: another server holds the lock. The lock is taken by a separate statement, so that the
 * next statement sees the positions that the previous holder committed (READ COMMITTED; locks are released after the
 * commit is visible). Events of one task keep their order, since the lock of its head makes them commit in it.
 * Otherwise events are ordered by time.
 */
async function placeBatch(tx: Queryable) {
  const [lock] = await tx.execute<{ held: boolean }>(
    sql`SELECT pg_try_advisory_xact_lock(${PLACE_LOCK}) AS held`,
  );
  if (!lock?.held) return undefined;
  await failpoint("before-event-position");
  const [placed] = await tx.execute<{ count: number; tip: string | null }>(sql`
    WITH waiting AS (
      SELECT task_id, ordinal, time FROM task_events WHERE position IS NULL
      ORDER BY task_id, ordinal LIMIT ${BATCH}),
    ordered AS (
      SELECT task_id, ordinal FROM waiting
      ORDER BY max(time) OVER (PARTITION BY task_id ORDER BY ordinal), task_id, ordinal),
    numbered AS MATERIALIZED (
      SELECT task_id, ordinal, nextval('task_event_positions') AS position FROM ordered),
    placed AS (
      UPDATE task_events e SET position = n.position FROM numbered n
      WHERE e.task_id = n.task_id AND e.ordinal = n.ordinal RETURNING e.position)
    SELECT count(*)::integer AS count, greatest(max(position), (SELECT max(position) FROM task_events)) AS tip
    FROM placed`);
  await failpoint("after-event-position");
  return placed;
}

/** Keeps events from being placed until the transaction ends, so that deleting and placing events cannot deadlock. */
export async function forbidPlacing(tx: Queryable): Promise<void> {
  await tx.execute(sql`SELECT pg_advisory_xact_lock(${PLACE_LOCK})`);
}

/** Returns a position that no event of this database exceeds. */
export async function highestPosition(database: Database): Promise<number> {
  const [row] = await database.run((db) =>
    db.execute<{ last: string }>(sql`SELECT last_value AS last FROM task_event_positions`),
  );
  return Number(row?.last ?? 0);
}

/** A change of status with its position among those of all tasks, and its task as it is now. */
export interface PlacedEvent {
  position: number;
  event: StatusEvent;
  task: TaskView;
}

/**
 * Returns status changes of all tasks, ordered by position: the first `limit` of those after `after` and up to `to`. `to` must
 * not exceed the highest assigned position.
 */
export async function readEvents(
  database: Database,
  { after, to }: { after: number; to: number },
  limit: number,
  selection: TaskSelection<FixedTerm> = { scopes: EVERYTHING, project: null, terms: [] },
): Promise<PlacedEvent[]> {
  const rows = await database[runnerOf(selection)]((db) =>
    db
      .select({ position: taskEvents.position, event: taskEvents, tasks, lastSeq: taskHeads.lastSeq })
      .from(taskEvents)
      .innerJoin(tasks, eq(tasks.id, taskEvents.taskId))
      .innerJoin(taskHeads, eq(taskHeads.taskId, taskEvents.taskId))
      .where(
        and(sql`${taskEvents.position} > ${after} AND ${taskEvents.position} <= ${to}`, selected(selection)),
      )
      .orderBy(taskEvents.position)
      .limit(limit),
  );
  return rows.map(({ position, event, tasks: task, lastSeq }) => ({
    position: position ?? 0,
    event,
    task: { ...task, lastSeq },
  }));
}

const OPEN = STATUSES.filter((status) => !FINAL.includes(status));
const list = (statuses: readonly Status[]) => `{${statuses.join(",")}}`;

export interface OpenTasks {
  /** Tasks with the status that they had at the position. */
  tasks: { task: TaskView; status: Status }[];
  /** Id after which the next page begins; null: this is the last page. */
  afterId: string | null;
}

/**
 * Returns a page of the tasks that had not ended at a position, ordered by id. Some of them may have ended after the
 * position.
 */
export async function readOpenTasks(
  database: Database,
  selection: TaskSelection<FixedTerm>,
  position: number,
  page: { afterId: string | null; limit: number },
): Promise<OpenTasks> {
  const rows = await database[runnerOf(selection)]((db) =>
    selectTasks(db, { status: statusAt(position) })
      .where(inArray(tasks.id, openIds(selection, position, page)))
      .orderBy(tasks.id),
  );
  const last = rows.length === page.limit ? rows.at(-1) : undefined;
  return {
    // A task without a status at the position was created after it.
    tasks: rows.flatMap((row) => {
      const task = { ...row.tasks, lastSeq: row.lastSeq };
      return row.status === null ? [] : [{ task, status: row.status }];
    }),
    afterId: last?.tasks.id ?? null,
  };
}

const statusAt = (position: number): SQL<Status | null> => sql`(
  SELECT e.status FROM task_events e WHERE e.task_id = ${tasks.id} AND e.position <= ${position}
  ORDER BY e.ordinal DESC LIMIT 1)`;

/**
 * Selects tasks that have not ended, and tasks that ended after the position. One statement, so that a task that is
 * ending is in exactly one part.
 */
function openIds(
  selection: TaskSelection<FixedTerm>,
  position: number,
  { afterId, limit }: { afterId: string | null; limit: number },
): SQL {
  const isWanted =
    and(afterId === null ? undefined : sql`${tasks.id} > ${afterId}`, selected(selection)) ?? sql`true`;
  return sql`(
    SELECT id FROM (
      SELECT one.id FROM unnest(${list(OPEN)}::text[]) AS open (status) CROSS JOIN LATERAL (
        SELECT id FROM tasks WHERE ${tasks.status} = open.status AND ${isWanted} ORDER BY id LIMIT ${limit}) AS one
      UNION ALL
      SELECT id FROM tasks JOIN task_events e ON e.task_id = tasks.id
      WHERE e.status = ANY(${list(FINAL)}::text[]) AND (e.position > ${position} OR e.position IS NULL) AND ${isWanted}
    ) AS found ORDER BY id LIMIT ${limit})`;
}
