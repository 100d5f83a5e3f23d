import { and, eq } from "drizzle-orm";
import type { TaskRecord } from "../../task/types.ts";
import type { Database } from "../postgres/database.ts";
import { place, prepared } from "../postgres/statement.ts";
import { tasks } from "../schema/tasks.ts";

const creatorQuery = prepared((db) =>
  db
    .select({ template: tasks.template, createdBy: tasks.createdBy })
    .from(tasks)
    .where(and(eq(tasks.id, place("id")), eq(tasks.project, place("project"))))
    .prepare("creator"),
);

/** Returns what never changes of a task and decides who may see it; undefined: there is no such task. */
export async function findTask(
  database: Database,
  project: string,
  id: string,
): Promise<Pick<TaskRecord, "template" | "createdBy"> | undefined> {
  const [row] = await database.run((db) => creatorQuery(db).execute({ project, id }));
  return row;
}
