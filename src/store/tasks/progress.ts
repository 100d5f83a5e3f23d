import { eq, sql } from "drizzle-orm";
import type { Status } from "../../task/status.ts";
import type { LogHead, StatusEvent } from "../../task/types.ts";
import type { Database } from "../postgres/database.ts";
import { isOneOf } from "../postgres/is-one-of.ts";
import { taskHeads } from "../schema/tasks.ts";

/** Committed state of a task's log and events, as one snapshot. */
export interface Progress {
  status: Status;
  lastSeq: number;
  /** Events after the requested ordinal, in order. */
  events: StatusEvent[];
}

/** Returns the progress of a task; undefined: the task does not exist. */
export async function readProgress(
  database: Database,
  taskId: string,
  afterOrdinal: number,
): Promise<Progress | undefined> {
  const rows = await database.run((db) =>
    db.execute<EventRow>(sql`
      SELECT t.status AS task_status, h.last_seq, e.ordinal, e.status, extract(epoch FROM e.time) * 1000 AS ms, e.after_seq, e.message, e.by
      FROM task_heads h JOIN tasks t ON t.id = h.task_id
      LEFT JOIN task_events e ON e.task_id = h.task_id AND e.ordinal > ${afterOrdinal}
      WHERE h.task_id = ${taskId} ORDER BY e.ordinal`),
  );
  const [first] = rows;
  if (!first) return undefined;
  return { status: first.task_status, lastSeq: Number(first.last_seq), events: rows.flatMap(eventOf) };
}

/** A head joined with one of its events; `ordinal` is null if it has none after the requested ordinal. */
type EventRow = Record<string, unknown> & { task_status: Status; last_seq: string } & (
    | { ordinal: null }
    | { ordinal: number; status: Status; ms: string; after_seq: string; message: string; by: string }
  );

function eventOf(row: EventRow): StatusEvent[] {
  if (row.ordinal === null) return [];
  const { ordinal, status, ms, after_seq, message, by } = row;
  return [{ ordinal, status, time: new Date(Number(ms)), afterSeq: Number(after_seq), message, by }];
}

/** Returns the head of a task; undefined: the task does not exist. */
export async function readHead(database: Database, taskId: string): Promise<LogHead | undefined> {
  const [head] = await database.run((db) => db.select().from(taskHeads).where(eq(taskHeads.taskId, taskId)));
  return head;
}

/** Returns the last line number and the number of events of each task. */
export async function readMarks(
  database: Database,
  ids: readonly string[],
): Promise<{ id: string; lastSeq: number; events: number }[]> {
  return database.run((db) =>
    db
      .select({ id: taskHeads.taskId, lastSeq: taskHeads.lastSeq, events: taskHeads.events })
      .from(taskHeads)
      .where(isOneOf(taskHeads.taskId, ids)),
  );
}
