import { and, asc, eq, gt } from "drizzle-orm";
import type { AnyPgColumn } from "drizzle-orm/pg-core";
import { notFound } from "../../task/errors.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { isOneOfNames } from "../postgres/is-one-of.ts";
import { projects } from "../schema/resources.ts";
import { EVERYTHING, type Scopes, wholeProjects } from "../tasks/scopes.ts";
import { type AnyKind, columnsOf, KINDS, type Kind, type Resource, TABLES } from "./kinds.ts";

export interface ResourceQuery {
  /** Empty for a list of projects. */
  project: string;
  /** Where the caller may see resources. A template is in its own scope, all others are in that of their project. */
  scopes: Scopes;
  /** Last name of the page before. */
  after: string;
  limit: number;
}

/** Returns a page of resources of one kind, ordered by name. */
export async function listResources(
  database: Database,
  kind: AnyKind,
  query: ResourceQuery,
): Promise<Resource[]> {
  return database.run(async (db) => {
    if (kind === "projects") {
      return db
        .select()
        .from(projects)
        .where(and(gt(projects.name, query.after), isOneOf(projects.name, wholeProjects(query.scopes))))
        .orderBy(asc(projects.name))
        .limit(query.limit);
    }
    if (query.after === "") await assertProject(db, query.project);
    const table = TABLES[kind];
    const names = isVisible(query) ? undefined : kind === "templates" ? templatesOf(query) : [];
    const where = and(
      eq(table.project, query.project),
      gt(table.name, query.after),
      isOneOf(table.name, names),
    );
    return db.select(columnsOf(kind)).from(table).where(where).orderBy(asc(table.name)).limit(query.limit);
  });
}

/** Tells whether the caller may see the whole project. */
const isVisible = ({ scopes, project }: ResourceQuery): boolean =>
  wholeProjects(scopes)?.includes(project) ?? true;

const templatesOf = ({ scopes, project }: ResourceQuery): string[] =>
  scopes === EVERYTHING
    ? []
    : scopes.flatMap((scope) => (scope.project === project ? (scope.template ?? []) : []));

/** Returns the condition that a name is in a list; undefined: every name is. */
const isOneOf = (column: AnyPgColumn, names: readonly string[] | undefined) =>
  names && isOneOfNames(column, names);

/** Returns one resource. @throws Failure not_found. */
export async function getResource(
  database: Database,
  kind: AnyKind,
  project: string,
  name: string,
): Promise<Resource> {
  const [row] = await database.run(async (db): Promise<Resource[]> => {
    if (kind === "projects") return db.select().from(projects).where(eq(projects.name, project));
    const table = TABLES[kind];
    return db
      .select(columnsOf(kind))
      .from(table)
      .where(and(eq(table.project, project), eq(table.name, name)));
  });
  if (!row)
    throw notFound(kind === "projects" ? `projects/${project}` : `projects/${project}/${kind}/${name}`);
  return row;
}

/** Checks that a project exists. @throws Failure not_found. */
export async function assertProject(db: Queryable, name: string): Promise<void> {
  const [row] = await db.select({ name: projects.name }).from(projects).where(eq(projects.name, name));
  if (!row) throw notFound(`projects/${name}`);
}

/** Returns a project and its resources, ordered by name, as one snapshot. @throws Failure not_found. */
export async function readProject(
  database: Database,
  name: string,
): Promise<{ project: Resource; resources: Record<Kind, Resource[]> }> {
  const read = async (db: Queryable) => {
    const [project] = await db.select().from(projects).where(eq(projects.name, name));
    if (!project) throw notFound(`projects/${name}`);
    const resources: Partial<Record<Kind, Resource[]>> = {};
    for (const kind of KINDS) {
      const table = TABLES[kind];
      resources[kind] = await db
        .select(columnsOf(kind))
        .from(table)
        .where(eq(table.project, name))
        .orderBy(asc(table.name));
    }
    return { project, resources: resources as Record<Kind, Resource[]> };
  };
  return database.run((db) =>
    db.transaction(read, { isolationLevel: "repeatable read", accessMode: "read only" }),
  );
}
