import type { JsonObject } from "@bufbuild/protobuf";
import { and, asc, desc, eq, sql } from "drizzle-orm";
import type { TaskRecord } from "../../task/types.ts";
import { nextVersion } from "../../task/version.ts";
import { templateSpec } from "../catalog/kinds.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { place, prepared } from "../postgres/statement.ts";
import { templates } from "../schema/resources.ts";
import { tasks } from "../schema/tasks.ts";
import { EVERYTHING } from "./scopes.ts";
import { firstIds, type TaskSequence } from "./task-ranges.ts";

type OfTemplate = Pick<TaskRecord, "project" | "template">;
const ofTemplate = ({ project, template }: OfTemplate) =>
  and(eq(tasks.project, project), eq(tasks.template, template));

/**
 * Returns the version of a template's next task: the one after that of its newest task, whether that succeeded or not.
 * Empty if the task has no `startVersion`. Locks the versions of the template until the transaction ends.
 */
export async function takeVersion(
  tx: Queryable,
  task: OfTemplate & { startVersion?: string },
): Promise<string> {
  if (!task.startVersion) return "";
  const key = `versions ${task.project}/${task.template}`;
  // Both statements are sent at once; the second one sees what was committed before the lock was granted.
  const locked = tx.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${key}, 0))`).execute();
  const { project, template } = task;
  const byAge: TaskSequence = {
    scopes: EVERYTHING,
    project,
    terms: [{ field: "template", op: "=", project, value: template }],
    order: { by: "create_time", isDescending: true },
    after: null,
  };
  const newest = tx
    .select({ version: tasks.version })
    .from(tasks)
    .where(sql`${tasks.id} = (${firstIds(byAge, 1)})`);
  const [, [previous]] = await Promise.all([locked, newest]);
  return nextVersion(task.startVersion, previous?.version ?? "");
}

/** A succeeded task that a deploy can install. */
export type Build = Pick<
  TaskRecord,
  "id" | "project" | "template" | "version" | "incomingVersion" | "createdBy"
>;

/**
 * Returns the newest succeeded task of a template, or the task with this id if it succeeded; undefined: there is none.
 */
export async function findBuild(
  database: Database,
  of: OfTemplate,
  id: string | undefined,
): Promise<Build | undefined> {
  const { project, template, version, incomingVersion, createdBy } = tasks;
  const [row] = await database.run((db) =>
    db
      .select({ id: tasks.id, project, template, version, incomingVersion, createdBy })
      .from(tasks)
      .where(
        and(ofTemplate(of), eq(tasks.status, "SUCCESS"), id === undefined ? undefined : eq(tasks.id, id)),
      )
      .orderBy(desc(tasks.id))
      .limit(1),
  );
  return row;
}

/** A template as stored, with the last part of its name. */
export interface Autorun {
  name: string;
  spec: JsonObject;
}

const autorunQuery = prepared((db) =>
  db
    .select({ name: templates.name, spec: templateSpec })
    .from(templates)
    .where(
      and(
        eq(templates.project, place("project")),
        eq(templates.buildTemplate, place("template")),
        sql`${templates.spec} @> '{"type": "TEMPLATE_TYPE_DEPLOY", "autorun": true}'`,
      ),
    )
    .orderBy(asc(templates.name))
    .prepare("autoruns"),
);

/** Returns the deploy templates with `autorun` that name this template as their build, ordered by name. */
export async function loadAutoruns(
  database: Database,
  { project, template }: OfTemplate,
): Promise<Autorun[]> {
  return database.run((db) => autorunQuery(db).execute({ project, template }));
}
