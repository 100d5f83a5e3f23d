import { sql } from "drizzle-orm";
import type { Database, Queryable } from "../postgres/database.ts";
import { tasks } from "../schema/tasks.ts";
import { keyOf, type TaskPlace } from "./task-order.ts";
import { firstIds, type TaskSequence } from "./task-ranges.ts";
import { runnerOf } from "./task-terms.ts";
import { selectTasks, type TaskView } from "./tasks.ts";

export interface TaskQuery extends TaskSequence {
  limit: number;
}

export interface TaskPage {
  tasks: TaskView[];
  /** Place of the last one; null: none follow. */
  last: TaskPlace | null;
}

/** A page of tasks in an order. Those without the order's time are left out. */
export async function listTasks(database: Database, query: TaskQuery): Promise<TaskPage> {
  const rows = await database[runnerOf(query)]((db) =>
    db.transaction(async (tx) => {
      // Whether a label is rare, or a time long ago, is not known to a plan that PostgreSQL keeps for all values.
      const custom = tx.execute(sql`SET LOCAL plan_cache_mode = force_custom_plan`).execute();
      return (await Promise.all([custom, selectPage(tx, query).execute()]))[1];
    }),
  );
  const page = rows.slice(0, query.limit);
  const last = rows.length > query.limit ? page.at(-1) : undefined;
  return {
    tasks: page.map((row) => ({ ...row.tasks, lastSeq: row.lastSeq })),
    last: last ? { micros: Number(last.micros), id: last.tasks.id } : null,
  };
}

/** One row more than the page holds, if there is one. */
export function selectPage(db: Queryable, query: TaskQuery) {
  const { micros, orderBy } = keyOf(query.order);
  return selectTasks(db, { micros })
    .where(sql`${tasks.id} = ANY(ARRAY(${firstIds(query, query.limit + 1)}))`)
    .orderBy(orderBy);
}
