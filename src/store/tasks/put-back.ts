import { sql } from "drizzle-orm";
import type { Database } from "../postgres/database.ts";
import { storableText } from "../postgres/storable.ts";
import { tasks } from "../schema/tasks.ts";
import { type Lease, transition, underLease } from "./transitions.ts";

/**
 * Changes a task from STARTING or RUNNING to WAITING. Its owner knows that its program was not started, so that any
 * server may start it. Resolves to false if the task was killed meanwhile. Idempotent.
 */
export async function putBack(database: Database, lease: Lease, why: string): Promise<boolean> {
  return database.run(async (db) => {
    const changed = await transition(db, {
      to: "WAITING",
      where: underLease(lease),
      set: {
        node: null,
        leaseExpires: null,
        leaseEpoch: sql`${tasks.leaseEpoch} + 1`,
        startTime: null,
        runDeadline: null,
        executorHandle: null,
      },
      message: storableText(`Back in the queue, because the server cannot start it: ${why}`),
    });
    if (changed.length === 1) return true;
    const stillOwned = await db.select({ id: tasks.id }).from(tasks).where(underLease(lease));
    return stillOwned.length === 0;
  });
}
