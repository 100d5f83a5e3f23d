import { sql } from "drizzle-orm";
import { ensurePartitions } from "./logs/partitions.ts";
import { type Database, DatabaseReadOnly } from "./postgres/database.ts";
import { forgetRequests } from "./tasks/tasks.ts";

/** Makes the partitions of the days to come and forgets old request ids. May run on all servers. */
export async function keepHouse(database: Database): Promise<void> {
  await database.run((db) => db.transaction(ensurePartitions));
  await forgetRequests(database);
}

/** @throws if the database does not answer, or answers reads only. */
export async function assertWritable(database: Database): Promise<void> {
  await database.run(async (db) => {
    const [row] = await db.execute(sql`SELECT current_setting('transaction_read_only') AS "readOnly"`);
    if (row?.readOnly === "on") throw new DatabaseReadOnly();
  });
}
