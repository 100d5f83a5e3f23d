import { type SQL, type SQLWrapper, sql } from "drizzle-orm";

/** Order of tasks by a time. For `create_time` they are ordered by id, since ids sort by the time of creation. */
export interface TaskOrder {
  by: "create_time" | "start_time" | "end_time";
  isDescending: boolean;
}

/** A task's place in an order: its id, and the time of the order in microseconds (for create_time: 0). */
export interface TaskPlace {
  micros: number;
  id: string;
}

/** SQL of an order. Columns are written without their table, so that it fits every SELECT that has them. */
interface TaskKey {
  columns: SQL[];
  orderBy: SQL;
  /** Condition that a task has a place in the order; undefined: every task has. */
  has?: SQL;
  /** Microseconds of a task's place. */
  micros: SQL<string>;
}

export function keyOf({ by, isDescending }: TaskOrder): TaskKey {
  const direction = sql.raw(isDescending ? "DESC" : "ASC");
  const id = sql`id`;
  if (by === "create_time") return { columns: [id], orderBy: sql`${id} ${direction}`, micros: sql`0` };
  const time = sql.raw(by);
  return {
    columns: [time, id],
    orderBy: sql`${time} ${direction}, ${id} ${direction}`,
    has: sql`${time} IS NOT NULL`,
    micros: sql`(extract(epoch FROM ${time}) * 1000000)::bigint`,
  };
}

/** Returns the values that the order's columns have at a place. */
export function valuesOf({ by }: TaskOrder, { micros, id }: TaskPlace): SQL[] {
  const last = sql`${id}::uuid`;
  if (by === "create_time") return [last];
  return [sql`timestamptz 'epoch' + ${micros}::bigint * interval '1 microsecond'`, last];
}

/** Returns the condition that a task comes after the place; undefined: no place was given. */
export function behind(order: TaskOrder, after: TaskPlace | null): SQL | undefined {
  if (!after) return undefined;
  const op = sql.raw(order.isDescending ? "<" : ">");
  return sql`(${list(keyOf(order).columns)}) ${op} (${list(valuesOf(order, after))})`;
}

/** Joins columns or values by commas. */
export const list = (parts: SQLWrapper[]) => sql.join(parts, sql`, `);
