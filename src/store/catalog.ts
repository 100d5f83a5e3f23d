import type { JsonObject } from "@bufbuild/protobuf";
import { and, asc, eq, gt, inArray, sql } from "drizzle-orm";
import { Failure, type FieldViolation, invalid, notFound } from "../task/errors.ts";
import { FINAL } from "../task/status.ts";
import type { Database, Queryable } from "./database.ts";
import { environments, projects, repositories, templates } from "./schema/resources.ts";
import { tasks } from "./schema/tasks.ts";

/** The kinds of resources inside a project, in the order in which they refer to each other. */
export const KINDS = ["repositories", "environments", "templates"] as const;
export type Kind = (typeof KINDS)[number];
const TABLES = { repositories, environments, templates } as const satisfies Record<Kind, unknown>;

/** A stored resource: `spec` is the proto3 JSON of its message without name, etag and times. */
export interface Resource {
  /** Last part of its name. */
  name: string;
  spec: JsonObject;
  revision: number;
  createTime: Date;
  updateTime: Date;
}

/** Resources of one kind by name; `after` is the last name of the page before. */
export async function listResources(
  database: Database,
  kind: Kind | "projects",
  query: { project: string; after: string; limit: number },
): Promise<Resource[]> {
  return database.run(async (db) => {
    if (kind === "projects") {
      return db
        .select()
        .from(projects)
        .where(gt(projects.name, query.after))
        .orderBy(asc(projects.name))
        .limit(query.limit);
    }
    if (query.after === "") await assertProject(db, query.project);
    const table = TABLES[kind];
    const where = and(eq(table.project, query.project), gt(table.name, query.after));
    return db.select().from(table).where(where).orderBy(asc(table.name)).limit(query.limit);
  });
}

/** @throws Failure not_found. */
export async function getResource(
  database: Database,
  kind: Kind | "projects",
  project: string,
  name: string,
): Promise<Resource> {
  const [row] = await database.run(async (db): Promise<Resource[]> => {
    if (kind === "projects") return db.select().from(projects).where(eq(projects.name, project));
    const table = TABLES[kind];
    return db
      .select()
      .from(table)
      .where(and(eq(table.project, project), eq(table.name, name)));
  });
  if (!row)
    throw notFound(kind === "projects" ? `projects/${project}` : `projects/${project}/${kind}/${name}`);
  return row;
}

/** @throws Failure not_found. */
export async function assertProject(db: Queryable, name: string): Promise<void> {
  const [row] = await db.select({ name: projects.name }).from(projects).where(eq(projects.name, name));
  if (!row) throw notFound(`projects/${name}`);
}

export type Action = "CREATE" | "UPDATE" | "UNCHANGED" | "DELETE" | "KEEP";

export interface Change {
  kind: Kind | "projects";
  name: string;
  action: Action;
  /** With UPDATE: the fields of the spec that differ. */
  fields: string[];
}

export interface WantedCatalog {
  project: { name: string; spec: JsonObject };
  resources: Record<Kind, { name: string; spec: JsonObject }[]>;
}

/**
 * Makes a project be what the catalog says, in one transaction; of two at once one comes after the other, whole.
 * @throws Failure invalid if a template names what will not be there; precondition if something to delete is in use.
 */
export async function applyCatalog(
  database: Database,
  wanted: WantedCatalog,
  options: { prune: boolean; validateOnly: boolean },
): Promise<Change[]> {
  const project = wanted.project.name;
  return database.run((db) =>
    db.transaction(async (tx) => {
      await tx.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${`catalog ${project}`}, 0))`);
      const plan = await compare(tx, wanted, options.prune);
      assertReferences(wanted, plan);
      if (options.prune) await assertUnused(tx, project, plan);
      if (!options.validateOnly) await write(tx, wanted, plan);
      return plan;
    }),
  );
}

async function compare(db: Queryable, wanted: WantedCatalog, prune: boolean): Promise<Change[]> {
  const project = wanted.project.name;
  const before = await db.select().from(projects).where(eq(projects.name, project));
  const changes = differences("projects", before, [wanted.project], prune);
  for (const kind of KINDS) {
    const table = TABLES[kind];
    const rows = await db.select().from(table).where(eq(table.project, project));
    changes.push(...differences(kind, rows, wanted.resources[kind], prune));
  }
  return changes;
}

function differences(
  kind: Change["kind"],
  before: Pick<Resource, "name" | "spec">[],
  wanted: { name: string; spec: JsonObject }[],
  prune: boolean,
): Change[] {
  const old = new Map(before.map((row) => [row.name, row.spec]));
  const named = new Set(wanted.map(({ name }) => name));
  const left = before.filter(({ name }) => !named.has(name));
  return [
    ...wanted.map(({ name, spec }) => difference(kind, name, old.get(name), spec)),
    ...left.map(({ name }): Change => ({ kind, name, action: prune ? "DELETE" : "KEEP", fields: [] })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function difference(
  kind: Change["kind"],
  name: string,
  before: JsonObject | undefined,
  spec: JsonObject,
): Change {
  if (!before) return { kind, name, action: "CREATE", fields: [] };
  const keys = [...new Set([...Object.keys(before), ...Object.keys(spec)])].sort();
  const fields = keys.filter((key) => canonical(before[key]) !== canonical(spec[key]));
  return { kind, name, action: fields.length > 0 ? "UPDATE" : "UNCHANGED", fields };
}

/** JSON with sorted keys: jsonb does not keep their order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, v) =>
    v !== null && typeof v === "object" && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}

/** Fields of a template that name others, in JSON and in the contract. */
const REFERENCES = [
  ["repository", "repository"],
  ["environment", "environment"],
  ["buildTemplate", "build_template"],
] as const;

function assertReferences(wanted: WantedCatalog, plan: Change[]): void {
  const there = new Set(plan.filter((c) => c.action !== "DELETE").map((c) => `${c.kind}/${c.name}`));
  const violations = wanted.resources.templates.flatMap(({ spec }, index) =>
    REFERENCES.flatMap(([json, field]): FieldViolation[] => {
      const name = spec[json];
      if (typeof name !== "string" || there.has(name.split("/").slice(2).join("/"))) return [];
      return [{ field: `catalog.templates[${index}].${field}`, description: `there is no ${name}` }];
    }),
  );
  if (violations.length > 0) throw invalid(violations);
}

async function assertUnused(db: Queryable, project: string, plan: Change[]): Promise<void> {
  const doomed = plan.filter((c) => c.kind === "templates" && c.action === "DELETE").map((c) => c.name);
  if (doomed.length === 0) return;
  const [user] = await db
    .select({ id: tasks.id, template: tasks.template })
    .from(tasks)
    .where(
      and(
        eq(tasks.project, project),
        inArray(tasks.template, doomed),
        sql`${tasks.status} NOT IN ${[...FINAL]}`,
      ),
    )
    .limit(1);
  if (!user) return;
  const resource = `projects/${project}/templates/${user.template}`;
  throw new Failure(
    "precondition",
    `Cannot delete ${resource}: projects/${project}/tasks/${user.id} has not ended`,
    {
      reason: "RESOURCE_IN_USE",
      resource,
    },
  );
}

async function write(db: Queryable, wanted: WantedCatalog, plan: Change[]): Promise<void> {
  const project = wanted.project.name;
  const writes = new Set(
    plan.filter((c) => c.action === "CREATE" || c.action === "UPDATE").map((c) => `${c.kind}/${c.name}`),
  );
  const set = { spec: sql`excluded.spec`, updateTime: sql`now()` };
  if (writes.has(`projects/${project}`)) {
    await db
      .insert(projects)
      .values(wanted.project)
      .onConflictDoUpdate({
        target: projects.name,
        set: { ...set, revision: sql`${projects.revision} + 1` },
      });
  }
  for (const kind of KINDS) {
    const table = TABLES[kind];
    const rows = wanted.resources[kind].filter(({ name }) => writes.has(`${kind}/${name}`));
    if (rows.length === 0) continue;
    await db
      .insert(table)
      .values(rows.map((row) => ({ ...row, project })))
      .onConflictDoUpdate({
        target: [table.project, table.name],
        set: { ...set, revision: sql`${table.revision} + 1` },
      });
  }
  for (const kind of KINDS.toReversed()) {
    const table = TABLES[kind];
    const names = plan.filter((c) => c.kind === kind && c.action === "DELETE").map((c) => c.name);
    if (names.length > 0)
      await db.delete(table).where(and(eq(table.project, project), inArray(table.name, names)));
  }
}
