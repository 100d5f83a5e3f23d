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
 * @throws Failure not_found if the task does not exist; precondition if it has not ended, or is LOST and may still run.
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
          .select({
            id: tasks.id,
            project: tasks.project,
            template: tasks.template,
            status: tasks.status,
            node: tasks.node,
            mayStillRun: tasks.mayStillRun,
          })
          .from(tasks)
          .where(and(eq(tasks.id, id), eq(tasks.project, project)))
          .for("update");
        if (!task) throw notFound(name);
        if (!isFinal(task.status))
          throw notEnded(
            name,
            `it is ${task.status}, and only tasks that have ended can be deleted; kill it first`,
          );
        if (task.mayStillRun)
          throw notEnded(
            name,
            `it is LOST and may still run on node ${task.node}; start that node again, or end the wait by AbandonTask`,
          );
        await tx.delete(logChunks).where(eq(logChunks.taskId, id));
        await forbidPlacing(tx);
        await tx.delete(tasks).where(eq(tasks.id, id));
        await recordChanges(tx, actor, [{ resource: name, template: task.template }]);
        return task;
      }),
    DEADLINE_MS,
  );
}

function notEnded(name: string, why: string): Failure {
  return new Failure("precondition", `Cannot delete ${name}: ${why}`, {
    reason: "TASK_NOT_ENDED",
    resource: name,
  });
}
