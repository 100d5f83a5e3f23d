import type { JsonObject } from "@bufbuild/protobuf";
import { and, asc, desc, eq, sql } from "drizzle-orm";
import type { TaskRecord } from "../../task/types.ts";
import { nextVersion } from "../../task/version.ts";
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
 * The version of a template's next task, after that of its newest one, whatever became of it; empty without a start.
 * Until the transaction ends nobody else gets one of this template.
 */
export async function takeVersion(
  tx: Queryable,
  task: OfTemplate & { startVersion?: string },
): Promise<string> {
  if (!task.startVersion) return "";
  const key = `versions ${task.project}/${task.template}`;
  // Sent together, as claims are: what is read was committed when the lock was there.
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

/** A task whose version can be brought somewhere. */
export type Build = Pick<
  TaskRecord,
  "id" | "project" | "template" | "version" | "incomingVersion" | "createdBy"
>;

/** The newest task of a template that succeeded, or the one with this id if it did. */
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
    .select({ name: templates.name, spec: templates.spec })
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

/** The deploy templates that run by themselves after a success of this one, by name. */
export async function loadAutoruns(
  database: Database,
  { project, template }: OfTemplate,
): Promise<Autorun[]> {
  return database.run((db) => autorunQuery(db).execute({ project, template }));
}
