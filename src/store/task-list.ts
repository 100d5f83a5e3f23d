import { and, asc, desc, type SQL, sql } from "drizzle-orm";
import type { Database, Queryable } from "./database.ts";
import { tasks } from "./schema/tasks.ts";
import { selected, type TaskSelection } from "./task-terms.ts";
import { selectTasks, type TaskView } from "./tasks.ts";

/** By which time tasks are ordered. Ids sort by the time of creation. */
export interface TaskOrder {
  by: "create_time" | "start_time" | "end_time";
  isDescending: boolean;
}

export interface TaskQuery extends TaskSelection {
  order: TaskOrder;
  /** Only tasks behind this place. */
  after: TaskPlace | null;
  limit: number;
}

/** A task's place in an order: its id, and the time of the order in microseconds (for create_time: 0). */
export interface TaskPlace {
  micros: number;
  id: string;
}

export interface TaskPage {
  tasks: TaskView[];
  /** Place of the last one; null: none follow. */
  last: TaskPlace | null;
}

const TIMES = { start_time: tasks.startTime, end_time: tasks.endTime };

/** A page of tasks in an order. Those without the order's time are left out. */
export async function listTasks(database: Database, query: TaskQuery): Promise<TaskPage> {
  const rows = await database.run((db) =>
    db.transaction(async (tx) => {
      // Which index is good depends on the values: one plan for all of them, which PostgreSQL may keep for a prepared
      // statement, reads a million rows for a label that few tasks have.
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
  const time = query.order.by === "create_time" ? undefined : TIMES[query.order.by];
  const direction = query.order.isDescending ? desc : asc;
  const keys = time ? [time, tasks.id] : [tasks.id];
  return selectTasks(db, { micros: time ? microsOf(time) : sql<string>`0` })
    .where(and(selected(query), time && sql`${time} IS NOT NULL`, behind(query)))
    .orderBy(...keys.map((key) => direction(key)))
    .limit(query.limit + 1);
}

const microsOf = (time: (typeof TIMES)["end_time"]) =>
  sql<string>`(extract(epoch FROM ${time}) * 1000000)::bigint`;

function behind({ order, after }: TaskQuery): SQL | undefined {
  if (!after) return undefined;
  const op = sql.raw(order.isDescending ? "<" : ">");
  if (order.by === "create_time") return sql`${tasks.id} ${op} ${after.id}::uuid`;
  const moment = sql`timestamptz 'epoch' + ${after.micros}::bigint * interval '1 microsecond'`;
  return sql`(${TIMES[order.by]}, ${tasks.id}) ${op} (${moment}, ${after.id}::uuid)`;
}
