import type { JsonObject } from "@bufbuild/protobuf";
import { and, eq, sql } from "drizzle-orm";
import { LeaseLost, notFound } from "../task/errors.ts";
import type { LogHead, TaskRecord } from "../task/types.ts";
import type { Database } from "./database.ts";
import type { Lease } from "./moves.ts";
import { environments, repositories, templates } from "./schema/resources.ts";
import { taskHeads, tasks } from "./schema/tasks.ts";

/** A template and what it names, as stored; null: there is none. */
export interface TemplateRows {
  template: JsonObject;
  repository: JsonObject | null;
  environment: JsonObject | null;
}

/** All that a run needs to know, in one round trip. */
export interface RunRows {
  task: TaskRecord;
  head: LogHead;
  /** Null: the template has been deleted since. */
  rows: TemplateRows | null;
  /** Until the run deadline, by the database's clock; null: there is none yet. */
  runRemainingMs: number | null;
  /** The same until SIGKILL; null: nobody asked for its end. */
  killRemainingMs: number | null;
}

const atTemplate = [
  and(eq(repositories.project, templates.project), eq(repositories.name, templates.repository)),
  and(eq(environments.project, templates.project), eq(environments.name, templates.environment)),
] as const;

const msUntil = (deadline: typeof tasks.runDeadline | typeof tasks.killDeadline) =>
  sql<number | null>`(extract(epoch FROM ${deadline} - clock_timestamp()) * 1000)::float8`;

/** @throws LeaseLost if the task is not there under this epoch. */
export async function loadRun(database: Database, lease: Lease): Promise<RunRows> {
  const [row] = await database.run((db) =>
    db
      .select({
        task: tasks,
        head: taskHeads,
        template: templates.spec,
        repository: repositories.spec,
        environment: environments.spec,
        runRemainingMs: msUntil(tasks.runDeadline),
        killRemainingMs: msUntil(tasks.killDeadline),
      })
      .from(tasks)
      .innerJoin(taskHeads, eq(taskHeads.taskId, tasks.id))
      .leftJoin(templates, and(eq(templates.project, tasks.project), eq(templates.name, tasks.template)))
      .leftJoin(repositories, atTemplate[0])
      .leftJoin(environments, atTemplate[1])
      .where(eq(tasks.id, lease.id)),
  );
  if (!row || row.task.leaseEpoch !== lease.leaseEpoch) throw new LeaseLost(lease.id);
  const { template, repository, environment, ...rest } = row;
  return { ...rest, rows: template && { template, repository, environment } };
}

/** @throws Failure not_found if there is no such template. */
export async function loadTemplate(database: Database, project: string, name: string): Promise<TemplateRows> {
  const [row] = await database.run((db) =>
    db
      .select({ template: templates.spec, repository: repositories.spec, environment: environments.spec })
      .from(templates)
      .leftJoin(repositories, atTemplate[0])
      .leftJoin(environments, atTemplate[1])
      .where(and(eq(templates.project, project), eq(templates.name, name))),
  );
  if (!row) throw notFound(`projects/${project}/templates/${name}`);
  return row;
}
