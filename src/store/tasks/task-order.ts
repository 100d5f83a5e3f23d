import { type SQL, type SQLWrapper, sql } from "drizzle-orm";

/** By which time tasks are ordered. Ids sort by the time of creation. */
export interface TaskOrder {
  by: "create_time" | "start_time" | "end_time";
  isDescending: boolean;
}

/** A task's place in an order: its id, and the time of the order in microseconds (for create_time: 0). */
export interface TaskPlace {
  micros: number;
  id: string;
}

/** An order as SQL, by the names that columns have in every SELECT of them. */
interface TaskKey {
  columns: SQL[];
  orderBy: SQL;
  /** Whether a task has a place in it; undefined: each has. */
  has?: SQL;
  /** The time of a task's place. */
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

/** A place as values of the order's columns. */
export function valuesOf({ by }: TaskOrder, { micros, id }: TaskPlace): SQL[] {
  const last = sql`${id}::uuid`;
  if (by === "create_time") return [last];
  return [sql`timestamptz 'epoch' + ${micros}::bigint * interval '1 microsecond'`, last];
}

/** Undefined: from the first one on. */
export function behind(order: TaskOrder, after: TaskPlace | null): SQL | undefined {
  if (!after) return undefined;
  const op = sql.raw(order.isDescending ? "<" : ">");
  return sql`(${list(keyOf(order).columns)}) ${op} (${list(valuesOf(order, after))})`;
}

/** Columns or values, one after the other. */
export const list = (parts: SQLWrapper[]) => sql.join(parts, sql`, `);
