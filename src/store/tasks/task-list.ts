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
  /** Place of the last task, where the next page begins; null: this is the last page. */
  last: TaskPlace | null;
}

/** Returns a page of tasks in an order. Tasks without the time of the order, such as `end_time`, are left out. */
export async function listTasks(database: Database, query: TaskQuery): Promise<TaskPage> {
  const rows = await database[runnerOf(query)]((db) =>
    db.transaction(async (tx) => {
      // Planned for these values, since a generic plan does not know whether a label is rare or a time long ago.
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

/** Selects the tasks of a page and one more, which shows that another page follows. */
export function selectPage(db: Queryable, query: TaskQuery) {
  const { micros, orderBy } = keyOf(query.order);
  return selectTasks(db, { micros })
    .where(sql`${tasks.id} = ANY(ARRAY(${firstIds(query, query.limit + 1)}))`)
    .orderBy(orderBy);
}
