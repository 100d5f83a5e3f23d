import { sql } from "drizzle-orm";
import { forgetAuditEvents } from "./audit.ts";
import { ensurePartitions } from "./logs/partitions.ts";
import { forgetOldNodes } from "./nodes/nodes.ts";
import { type Database, DatabaseReadOnlyError } from "./postgres/database.ts";
import { forgetRequests } from "./tasks/tasks.ts";

/**
 * Creates the partitions of the coming days and deletes old request ids, audit events and nodes. All servers may call it at the same time.
 */
export async function keepHouse(database: Database): Promise<void> {
  await database.run((db) => db.transaction(ensurePartitions));
  await forgetRequests(database);
  await forgetAuditEvents(database);
  await forgetOldNodes(database);
}

/** Checks that the database answers and accepts writes. @throws Error if not */
export async function assertWritable(database: Database): Promise<void> {
  await database.run(async (db) => {
    const [row] = await db.execute(sql`SELECT current_setting('transaction_read_only') AS "readOnly"`);
    if (row?.readOnly === "on") throw new DatabaseReadOnlyError();
  });
}
