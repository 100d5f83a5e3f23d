import { SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { Status } from "../../task/status.ts";
import { words } from "../schema/columns.ts";
import { tasks } from "../schema/tasks.ts";

/** A UUID column is among these: one parameter, however many they are, so that there is one statement to prepare. */
export function isOneOf(column: SQLWrapper, ids: readonly string[] | SQL): SQL {
  return sql`${column} = ANY(${ids instanceof SQL ? ids : uuidArray(ids)}::uuid[])`;
}

/** As PostgreSQL reads it. */
export function uuidArray(ids: readonly string[]): string {
  return `{${ids.join(",")}}`;
}

/** In one of these statuses. They are part of the statement: as values, they would hide from a plan how few tasks it is. */
export function isInStatus(statuses: readonly Status[]): SQL {
  return sql`${tasks.status} IN (${words(statuses)})`;
}
