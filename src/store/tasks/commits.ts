import { and, eq } from "drizzle-orm";
import type { TaskRecord } from "../../task/types.ts";
import type { Database } from "../postgres/database.ts";
import { tasks } from "../schema/tasks.ts";

/**
 * Stores the commit that was checked out. Does nothing if the task has another epoch: its new owner checks out again.
 */
export async function recordCommit(
  database: Database,
  lease: Pick<TaskRecord, "id" | "leaseEpoch">,
  { hash, message }: { hash: string; message: string },
): Promise<void> {
  await database.run((db) =>
    db
      .update(tasks)
      .set({ commitHash: hash, commitMessage: message })
      .where(and(eq(tasks.id, lease.id), eq(tasks.leaseEpoch, lease.leaseEpoch))),
  );
}
