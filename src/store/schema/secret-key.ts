import { sql } from "drizzle-orm";
import { boolean, check, pgTable } from "drizzle-orm/pg-core";
import { bytea } from "./columns.ts";

/**
 * One row with a known text, sealed under the key of this database's secrets. A server that cannot open it has a wrong
 * key.
 */
export const secretKeyCheck = pgTable(
  "secret_key_check",
  {
    id: boolean("id").primaryKey().default(true),
    sealed: bytea("sealed").notNull(),
  },
  (t) => [check("secret_key_check_one_row", sql`${t.id}`)],
);
