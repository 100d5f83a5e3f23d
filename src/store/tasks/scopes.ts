import { type SQL, sql } from "drizzle-orm";
import type { TaskRecord } from "../../task/types.ts";
import { tasks } from "../schema/tasks.ts";

/** A whole project, or one of its templates. */
export interface Scope {
  project: string;
  template?: string;
}

/** The tasks that a caller may see: all of them, or those of any of these projects and templates. */
export type Scopes = "everything" | readonly Scope[];

export const EVERYTHING = "everything" as const;

/** The same scopes, none of which lies in another. */
export function disjoint(scopes: readonly Scope[]): Scope[] {
  const whole = new Set(
    scopes.filter(({ template }) => template === undefined).map(({ project }) => project),
  );
  const parts = scopes.filter(({ project, template }) => template !== undefined && !whole.has(project));
  const byName = new Map(parts.map((scope) => [`${scope.project}/${scope.template}`, scope]));
  return [...[...whole].map((project) => ({ project })), ...byName.values()];
}

/** A condition on tasks; undefined: every task is in the scopes. */
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

/** The same in memory. */
export function isInScopes(scopes: Scopes, task: Pick<TaskRecord, "project" | "template">): boolean {
  if (scopes === EVERYTHING) return true;
  return scopes.some(
    ({ project, template = task.template }) => project === task.project && template === task.template,
  );
}
