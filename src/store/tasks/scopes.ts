import { type SQL, sql } from "drizzle-orm";
import type { TaskRecord } from "../../task/types.ts";
import { tasks } from "../schema/tasks.ts";

/** A whole project, or one of its templates. */
export interface Scope {
  project: string;
  template?: string;
}

/** Tasks that a caller may see: all, or those of the projects and templates listed. */
export type Scopes = "everything" | readonly Scope[];

export const EVERYTHING = "everything" as const;

/** Returns the projects that lie in the scopes as a whole; undefined: all do. */
export function wholeProjects(scopes: Scopes): string[] | undefined {
  if (scopes === EVERYTHING) return undefined;
  return scopes.filter(({ template }) => template === undefined).map(({ project }) => project);
}

/** Returns the same scopes without those that lie in another one. */
export function disjoint(scopes: readonly Scope[]): Scope[] {
  const whole = new Set(wholeProjects(scopes));
  const parts = scopes.filter(({ project, template }) => template !== undefined && !whole.has(project));
  const byName = new Map(parts.map((scope) => [`${scope.project}/${scope.template}`, scope]));
  return [...[...whole].map((project) => ({ project })), ...byName.values()];
}

/** Returns the SQL condition that a task is in the scopes; undefined: every task is. */
export function inScopes(scopes: Scopes): SQL | undefined {
  if (scopes === EVERYTHING) return undefined;
  const { project, template } = tasks;
  const isIn = disjoint(scopes).map((scope) =>
    scope.template === undefined
      ? sql`${project} = ${scope.project}`
      : sql`(${project} = ${scope.project} AND ${template} = ${scope.template})`,
  );
  return isIn.length === 0 ? sql`false` : sql`(${sql.join(isIn, sql` OR `)})`;
}

/** Tells whether a task is in the scopes. */
export function isInScopes(scopes: Scopes, task: Pick<TaskRecord, "project" | "template">): boolean {
  if (scopes === EVERYTHING) return true;
  return scopes.some(
    ({ project, template = task.template }) => project === task.project && template === task.template,
  );
}
