import { SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { Status } from "../../task/status.ts";
import { words } from "../schema/columns.ts";
import { tasks } from "../schema/tasks.ts";

/**
 * Returns the condition that a UUID column is one of `ids`. They are one parameter, so that any number needs one
 * statement.
 */
export function isOneOf(column: SQLWrapper, ids: readonly string[] | SQL): SQL {
  return sql`${column} = ANY(${ids instanceof SQL ? ids : uuidArray(ids)}::uuid[])`;
}

/** Returns the condition that a text column is one of `names`, which are one parameter as well. */
export function isOneOfNames(column: SQLWrapper, names: readonly string[]): SQL {
  return sql`${column} IN (SELECT jsonb_array_elements_text(${JSON.stringify(names)}::jsonb))`;
}

/** Returns the ids as the text of a PostgreSQL array. */
export function uuidArray(ids: readonly string[]): string {
  return `{${ids.join(",")}}`;
}

/**
 * Returns the condition that a task has one of these statuses. They are written into the statement instead of being
 * passed as parameters, so that the planner knows how few tasks have them.
 */
export function isInStatus(statuses: readonly Status[]): SQL {
  return sql`${tasks.status} IN (${words(statuses)})`;
}
