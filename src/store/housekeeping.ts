import { sql } from "drizzle-orm";
import { ensurePartitions } from "./logs/partitions.ts";
import type { Database } from "./postgres/database.ts";
import { forgetRequests } from "./tasks/tasks.ts";

/** Makes the partitions of the days to come and forgets old request ids. May run on all servers. */
export async function keepHouse(database: Database): Promise<void> {
  await database.run((db) => db.transaction(ensurePartitions));
  await forgetRequests(database);
}

/** Whether the database answers. */
export async function ping(database: Database): Promise<void> {
  await database.run((db) => db.execute(sql`SELECT 1`));
}
