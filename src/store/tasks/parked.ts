import { sql } from "drizzle-orm";
import type { TaskRecord } from "../../task/types.ts";
import type { Database } from "../postgres/database.ts";
import { isOneOf } from "../postgres/is-one-of.ts";
import { tasks } from "../schema/tasks.ts";
import { takeAll } from "./take-over.ts";
import type { Lease } from "./transitions.ts";

/** Returns the plans of a node that wait for a decision or, confirmed, for a slot. */
export async function parkedOn(
  database: Database,
  node: string,
): Promise<Pick<TaskRecord, "id" | "status">[]> {
  return database.run((db) =>
    db
      .select({ id: tasks.id, status: tasks.status })
      .from(tasks)
      .where(sql`${tasks.status} IN ('WAITING_CONFIRMATION', 'CONFIRMED') AND ${tasks.node} = ${node}`),
  );
}

/**
 * Takes confirmed plans of this node up again under a new epoch, the oldest first. A task among `running` is skipped,
 * since the run that made its plan has not ended yet.
 */
export async function resume(
  database: Database,
  node: string,
  slots: number,
  running: readonly string[],
): Promise<Lease[]> {
  return database.run((db) =>
    takeAll(
      db,
      node,
      sql`${tasks.status} = 'CONFIRMED' AND ${tasks.id} IN (
        SELECT id FROM tasks WHERE status = 'CONFIRMED' AND node = ${node}
          AND NOT ${isOneOf(tasks.id, running)}
        ORDER BY id LIMIT ${slots})`,
    ),
  );
}

/** Returns those of the tasks that have ended or no longer exist. */
export async function endedAmong(database: Database, ids: readonly string[]): Promise<string[]> {
  const rows = await database.run((db) =>
    db.execute<{ id: string }>(sql`
      SELECT v.id FROM unnest(${`{${ids.join(",")}}`}::uuid[]) AS v(id) LEFT JOIN tasks t ON t.id = v.id
      WHERE t.id IS NULL OR t.end_time IS NOT NULL`),
  );
  return rows.map(({ id }) => id);
}
