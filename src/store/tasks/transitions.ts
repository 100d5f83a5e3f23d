import { and, eq, inArray, type SQL, sql } from "drizzle-orm";
import { FINAL, STATUSES, type Status } from "../../task/status.ts";
import type { StatusEvent } from "../../task/types.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { taskEvents, taskHeads, tasks } from "../schema/tasks.ts";
import { EVERYTHING } from "./scopes.ts";
import { type FixedTerm, runnerOf, selected, type TaskSelection } from "./task-terms.ts";
import { selectTasks, type TaskView } from "./tasks.ts";

/*
 * The events of all tasks in one order. A sequence that is drawn from while they are written would be no cursor, since
 * its values commit out of order; so they get their positions after their commit, by one server at a time. Then
 * whoever sees a position sees all that are lower, for ever, and one number says what a watcher has got.
 */

/** Any number, the same in every version of Signalman. */
const PLACE_LOCK = 5_410_254;
/** Events that one transaction places. */
const BATCH = 5000;

/** How far events have been placed. */
export interface Placing {
  /** The last position. */
  tip: number;
  /** No event that was committed before is without a position. */
  isDone: boolean;
}

/** Gives positions to events that have none yet. Waits for nobody: when another server is at it, it is not done. */
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
 * The lock is taken by a statement of its own: the next one then sees what whoever held it before has placed (READ
 * COMMITTED), since a transaction gives up its locks after it can be seen. The events of a task come in their order:
 * its head's lock makes each commit after the one before it. Apart from that by time.
 */
async function placeBatch(tx: Queryable) {
  const [lock] = await tx.execute<{ held: boolean }>(
    sql`SELECT pg_try_advisory_xact_lock(${PLACE_LOCK}) AS held`,
  );
  if (!lock?.held) return undefined;
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
  return placed;
}

/** Until the end of the transaction no event is placed: whoever deletes events does not meet those who place them. */
export async function forbidPlacing(tx: Queryable): Promise<void> {
  await tx.execute(sql`SELECT pg_advisory_xact_lock(${PLACE_LOCK})`);
}

/** No position is higher than this one, in this database. */
export async function highestPosition(database: Database): Promise<number> {
  const [row] = await database.run((db) =>
    db.execute<{ last: string }>(sql`SELECT last_value AS last FROM task_event_positions`),
  );
  return Number(row?.last ?? 0);
}

/** A change of status among those of all tasks, with its task as it is now. */
export interface Transition {
  position: number;
  event: StatusEvent;
  task: TaskView;
}

/** Transitions behind the position `after` up to `to`, which was the tip or lies before it; the first ones, in order. */
export async function readTransitions(
  database: Database,
  { after, to }: { after: number; to: number },
  limit: number,
  selection: TaskSelection<FixedTerm> = { scopes: EVERYTHING, project: null, terms: [] },
): Promise<Transition[]> {
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
  /** Each with the status that it had at the position. */
  tasks: { task: TaskView; status: Status }[];
  /** Begins the next page; null: this was the last one. */
  afterId: string | null;
}

/**
 * Tasks that had not ended at a position, by their ids, whatever became of them since: among them are some whose end
 * lies behind the position.
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
    // Whoever had no status then was made behind the position.
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

/** Both parts in one statement: a task that ends just now is in one of them, and in one only. */
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
