import type { JsonObject } from "@bufbuild/protobuf";
import { and, eq, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import { LeaseLostError, notFound } from "../../task/errors.ts";
import type { LogHead, TaskRecord } from "../../task/types.ts";
import { templateSpec } from "../catalog/kinds.ts";
import type { Database } from "../postgres/database.ts";
import { place, prepared } from "../postgres/statement.ts";
import { environments, inventories, projects, repositories, templates } from "../schema/resources.ts";
import { taskHeads, tasks } from "../schema/tasks.ts";
import type { Lease } from "./transitions.ts";

/** Stored specs of a template and of the resources that it names; null: it names none. */
export interface TemplateRows {
  template: JsonObject;
  repository: JsonObject | null;
  environment: JsonObject | null;
}

/** A stored access key; `secrets` is encrypted and written as base64. */
export interface KeyRow {
  spec: JsonObject;
  secrets: string | null;
}

/** Stored specs of all resources that a task's template names, directly or through another resource. */
export interface DetailRows extends TemplateRows {
  project: JsonObject;
  environmentSecrets: Buffer | null;
  /** Inventory of the task; if it names none, that of its template. */
  inventory: JsonObject | null;
  /** Repository of an inventory that is a file in a repository. */
  inventoryRepository: JsonObject | null;
  /** All access keys that these resources name, by the last part of their names. */
  keys: Record<string, KeyRow>;
}

/** Everything that a run loads, in one round trip. */
export interface RunRows {
  task: TaskRecord;
  head: LogHead;
  /** Null: the template has been deleted since the task was created. */
  rows: DetailRows | null;
  /** Milliseconds until the run deadline, by the database's clock; null: there is none yet. */
  runRemainingMs: number | null;
  /** Milliseconds until SIGKILL, by the database's clock; null: there is no kill request. */
  killRemainingMs: number | null;
}

const atTemplate = [
  and(eq(repositories.project, templates.project), eq(repositories.name, templates.repository)),
  and(eq(environments.project, templates.project), eq(environments.name, templates.environment)),
] as const;

const inventoryRepositories = alias(repositories, "inventory_repositories");
const atInventory = [
  and(
    eq(inventories.project, templates.project),
    eq(inventories.name, sql`coalesce(${tasks.spec}->>'inventory', ${templates.inventory})`),
  ),
  and(
    eq(inventoryRepositories.project, inventories.project),
    eq(inventoryRepositories.name, inventories.repository),
  ),
] as const;

const keyName = (place: ReturnType<typeof sql>) => sql`split_part(${place} #>> '{}', '/', 4)`;
const hookKeys = sql.raw(
  `'$.hooks[*].http.keyvalue() ? (@.key == "secretHeaderKey" || @.key == "urlKey").value'`,
);
const keys = sql<Record<string, KeyRow>>`(
  SELECT coalesce(
    jsonb_object_agg(k.name, jsonb_build_object('spec', k.spec, 'secrets', encode(k.secrets, 'base64'))), '{}')
  FROM access_keys k
  WHERE k.project = ${tasks.project} AND k.name IN (
    SELECT unnest(ARRAY[${repositories.accessKey}, ${inventories.sshKey}, ${inventories.becomeKey},
                        ${inventoryRepositories.accessKey}])
    UNION ALL SELECT ${keyName(sql`at`)} FROM jsonb_path_query(${templates.spec}, '$.vaults[*].key') at
    UNION ALL SELECT ${keyName(sql`at`)} FROM jsonb_path_query(${templates.spec}, ${hookKeys}) at
    UNION ALL SELECT ${keyName(sql`at`)} FROM jsonb_path_query(${projects.spec}, ${hookKeys}) at))`;

const msUntil = (deadline: typeof tasks.runDeadline | typeof tasks.killDeadline) =>
  sql<number | null>`(extract(epoch FROM ${deadline} - clock_timestamp()) * 1000)::float8`;

const runQuery = prepared((db) =>
  db
    .select({
      task: tasks,
      head: taskHeads,
      project: projects.spec,
      template: templateSpec,
      repository: repositories.spec,
      environment: environments.spec,
      environmentSecrets: environments.secrets,
      inventory: inventories.spec,
      inventoryRepository: inventoryRepositories.spec,
      keys,
      runRemainingMs: msUntil(tasks.runDeadline),
      killRemainingMs: msUntil(tasks.killDeadline),
    })
    .from(tasks)
    .innerJoin(taskHeads, eq(taskHeads.taskId, tasks.id))
    .innerJoin(projects, eq(projects.name, tasks.project))
    .leftJoin(templates, and(eq(templates.project, tasks.project), eq(templates.name, tasks.template)))
    .leftJoin(repositories, atTemplate[0])
    .leftJoin(environments, atTemplate[1])
    .leftJoin(inventories, atInventory[0])
    .leftJoin(inventoryRepositories, atInventory[1])
    .where(eq(tasks.id, place("id")))
    .prepare("run"),
);

/** Loads a run. @throws LeaseLostError if no task has this id and epoch. */
export async function loadRun(database: Database, lease: Lease): Promise<RunRows> {
  const [row] = await database.run((db) => runQuery(db).execute({ id: lease.id }));
  if (!row || row.task.leaseEpoch !== lease.leaseEpoch) throw new LeaseLostError(lease.id);
  const { task, head, runRemainingMs, killRemainingMs, template, ...rest } = row;
  return { task, head, runRemainingMs, killRemainingMs, rows: template && { template, ...rest } };
}

const templateQuery = prepared((db) =>
  db
    .select({ template: templateSpec, repository: repositories.spec, environment: environments.spec })
    .from(templates)
    .leftJoin(repositories, atTemplate[0])
    .leftJoin(environments, atTemplate[1])
    .where(and(eq(templates.project, place("project")), eq(templates.name, place("name"))))
    .prepare("template"),
);

/** Loads a template and the resources that it names. @throws Failure not_found if it does not exist. */
export async function loadTemplate(database: Database, project: string, name: string): Promise<TemplateRows> {
  const [row] = await database.run((db) => templateQuery(db).execute({ project, name }));
  if (!row) throw notFound(`projects/${project}/templates/${name}`);
  return row;
}
