import { SQL, type SQLWrapper, sql } from "drizzle-orm";

/** A UUID column is among these: one parameter, however many they are, so that there is one statement to prepare. */
export function isOneOf(column: SQLWrapper, ids: readonly string[] | SQL): SQL {
  return sql`${column} = ANY(${ids instanceof SQL ? ids : uuidArray(ids)}::uuid[])`;
}

/** As PostgreSQL reads it. */
export function uuidArray(ids: readonly string[]): string {
  return `{${ids.join(",")}}`;
}
