import { and, eq, inArray, sql } from "drizzle-orm";
import { Failure } from "../../task/errors.ts";
import { isFinal, STATUSES } from "../../task/status.ts";
import type { Queryable } from "../postgres/database.ts";
import { isInStatus } from "../postgres/is-one-of.ts";
import { projects } from "../schema/resources.ts";
import { logChunks, tasks } from "../schema/tasks.ts";
import type { ResourceRef } from "./kinds.ts";

interface Doomed {
  remove: readonly ResourceRef[];
  force?: boolean;
}

/**
 * Returns a failure for each template to delete that has tasks which have not ended, naming one of them. For a project
 * to delete, returns a failure if it has such tasks, or, without `force`, any tasks.
 */
export async function obstaclesTo(
  db: Queryable,
  project: string,
  { remove, force = false }: Doomed,
): Promise<Failure[]> {
  if (remove.some(({ kind }) => kind === "projects")) return tasksOf(db, project, force);
  const templates = remove.filter(({ kind }) => kind === "templates").map(({ name }) => name);
  if (templates.length === 0) return [];
  const users = await db
    .select({ id: sql<string>`min(${tasks.id}::text)`, template: tasks.template })
    .from(tasks)
    .where(and(eq(tasks.project, project), inArray(tasks.template, templates), hasNotEnded()))
    .groupBy(tasks.template);
  return users.map((user) =>
    inUse(`projects/${project}/templates/${user.template}`, taskOf(project, user), "has not ended"),
  );
}

async function tasksOf(db: Queryable, project: string, force: boolean): Promise<Failure[]> {
  // The row lock keeps new tasks of the project from being created.
  await db.select({ name: projects.name }).from(projects).where(eq(projects.name, project)).for("update");
  const where = force ? and(eq(tasks.project, project), hasNotEnded()) : eq(tasks.project, project);
  const [user] = await db.select({ id: tasks.id }).from(tasks).where(where).limit(1);
  if (!user) return [];
  return [inUse(`projects/${project}`, taskOf(project, user), force ? "has not ended" : "belongs to it")];
}

/** Statuses of tasks that have not ended. Named one by one, so that an index finds them. */
const UNFINISHED = STATUSES.filter((status) => !isFinal(status));
const hasNotEnded = () => sql`(${isInStatus(UNFINISHED)} OR ${tasks.mayStillRun})`;
const taskOf = (project: string, { id }: { id: string }) => `projects/${project}/tasks/${id}`;

/** Returns the failure for a resource that `user`, a full resource name, still uses. */
export function inUse(resource: string, user: string, why: string): Failure {
  return new Failure("precondition", `Cannot delete ${resource}: ${user} ${why}`, {
    reason: "RESOURCE_IN_USE",
    resource,
  });
}

/**
 * Deletes the tasks of a project, all of which have ended, with their logs. Planned anew each time, for the actual
 * number.
 */
export async function deleteTasks(db: Queryable, project: string): Promise<void> {
  await db.execute(sql`SET LOCAL plan_cache_mode = force_custom_plan`);
  const ids = db.select({ id: tasks.id }).from(tasks).where(eq(tasks.project, project));
  await db.delete(logChunks).where(inArray(logChunks.taskId, ids));
  await db.delete(tasks).where(eq(tasks.project, project));
}
