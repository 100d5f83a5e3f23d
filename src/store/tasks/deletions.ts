import { and, eq, sql } from "drizzle-orm";
import type { Actor } from "../../task/caller.ts";
import { Failure, notFound } from "../../task/errors.ts";
import { isFinal } from "../../task/status.ts";
import type { TaskRecord } from "../../task/types.ts";
import { recordChanges } from "../audit.ts";
import type { Database } from "../postgres/database.ts";
import { logChunks, tasks } from "../schema/tasks.ts";
import { forbidPlacing } from "./events.ts";

/** Time limit in milliseconds for deleting a task with a long log. */
const DEADLINE_MS = 60_000;

/**
 * Deletes a task that has ended, with its log, events, plan and result. Its request id stays used.
 * @throws Failure not_found if the task does not exist; precondition if it has not ended.
 */
export async function deleteTask(
  database: Database,
  { project, id }: { project: string; id: string },
  actor?: Actor,
): Promise<Pick<TaskRecord, "id" | "project" | "template">> {
  const name = `projects/${project}/tasks/${id}`;
  return database.run(
    (db) =>
      db.transaction(async (tx) => {
        // A plan for this id alone locks one partition; a generic plan would lock the partitions of all days.
        await tx.execute(sql`
          SELECT set_config('statement_timeout', ${String(DEADLINE_MS)}, true),
                 set_config('plan_cache_mode', 'force_custom_plan', true)`);
        const [task] = await tx
          .select({ id: tasks.id, project: tasks.project, template: tasks.template, status: tasks.status })
          .from(tasks)
          .where(and(eq(tasks.id, id), eq(tasks.project, project)))
          .for("update");
        if (!task) throw notFound(name);
        if (!isFinal(task.status)) {
          const message = `Cannot delete ${name}: it is ${task.status}, and only tasks that have ended can be deleted; kill it first`;
          throw new Failure("precondition", message, { reason: "TASK_NOT_ENDED", resource: name });
        }
        await tx.delete(logChunks).where(eq(logChunks.taskId, id));
        await forbidPlacing(tx);
        await tx.delete(tasks).where(eq(tasks.id, id));
        await recordChanges(tx, actor, [{ resource: name, template: task.template }]);
        return task;
      }),
    DEADLINE_MS,
  );
}
