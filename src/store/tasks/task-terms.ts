import { and, eq, gte, lt, type SQL, sql } from "drizzle-orm";
import type { Status } from "../../task/status.ts";
import type { TaskRecord } from "../../task/types.ts";
import { tasks } from "../schema/tasks.ts";
import { EVERYTHING, inScopes, isInScopes, type Scopes } from "./scopes.ts";

/** A term on a field of a task that never changes. */
export type FixedTerm =
  | { field: "template"; op: "=" | "!="; project: string | null; value: string }
  | { field: "label"; key: string; value: string };

/** A term of a filter; `value` has been checked. */
export type TaskTerm = FixedTerm | { field: "status"; op: "=" | "!="; value: Status } | TimeTerm;

export interface TimeTerm {
  field: "create_time";
  op: "=" | "!=" | "<" | "<=" | ">" | ">=";
  value: Date;
}

/** Selects the tasks for which all terms hold. */
export interface TaskSelection<T extends TaskTerm = TaskTerm> {
  /** Tasks that the caller may see; all others are left out. */
  scopes: Scopes;
  /** Null: all projects. */
  project: string | null;
  terms: readonly T[];
}

/**
 * Names the method of Database that runs a query for a selection. Several terms or scopes make statements of many
 * different forms, which are not prepared: each would take 40 KB here and 200 KB in PostgreSQL until its connection is
 * closed (measured with 40 terms).
 */
export function runnerOf({
  terms,
  scopes,
}: Pick<TaskSelection, "terms" | "scopes">): "run" | "runUnprepared" {
  return terms.length > 1 || scopes !== EVERYTHING ? "runUnprepared" : "run";
}

/** Returns the SQL condition of a selection of tasks, or undefined if the selection contains every task. */
export function selected({ scopes, project, terms }: TaskSelection): SQL | undefined {
  return and(
    inScopes(scopes),
    project === null ? undefined : eq(tasks.project, project),
    ...terms.map(condition),
  );
}

/** Tells whether a selection contains a task. */
export function isSelected(
  { scopes, project, terms }: TaskSelection<FixedTerm>,
  task: Pick<TaskRecord, "project" | "template" | "labels">,
): boolean {
  if (!isInScopes(scopes, task) || (project !== null && project !== task.project)) return false;
  return terms.every((term) => {
    if (term.field === "label")
      return Object.hasOwn(task.labels, term.key) && task.labels[term.key] === term.value;
    const isIt = task.template === term.value && (term.project ?? task.project) === task.project;
    return isIt === (term.op === "=");
  });
}

function condition(term: TaskTerm): SQL {
  switch (term.field) {
    case "status":
      return sql`${tasks.status} ${sql.raw(term.op)} ${term.value}`;
    case "template":
      return templateCondition(term);
    case "label":
      // The first condition is that of the partial index, which leaves out tasks without labels.
      return sql`(${tasks.labels} <> '{}' AND ${tasks.labels} @> ${JSON.stringify({ [term.key]: term.value })}::jsonb)`;
    case "create_time":
      return timeCondition(term);
  }
}

function templateCondition({ op, project, value }: TaskTerm & { field: "template" }): SQL {
  if (project === null) return sql`${tasks.template} ${sql.raw(op)} ${value}`;
  const isIt = sql`(${tasks.project} = ${project} AND ${tasks.template} = ${value})`;
  return op === "=" ? isIt : sql`NOT ${isIt}`;
}

/** Milliseconds by which the time in a task's id and its time of creation may differ. */
const ID_SLACK_MS = 60_000;

/**
 * Returns the exact condition with bounds on the id, which begins with the time of creation, so that an index is used.
 */
function timeCondition(term: TimeTerm): SQL {
  const exact = sql`${tasks.createTime} ${sql.raw(term.op)} ${term.value.toISOString()}::timestamptz`;
  const { from, to } = idsOf(term);
  const isThere = and(from ? gte(tasks.id, from) : undefined, to ? lt(tasks.id, to) : undefined);
  return isThere ? sql`(${exact} AND ${isThere})` : exact;
}

/**
 * Returns bounds on the ids of tasks for which the term may hold: `from` inclusive, `to` exclusive; absent: no bound.
 */
export function idsOf({ op, value }: TimeTerm): { from?: string; to?: string } {
  const from = firstId(value.getTime() - ID_SLACK_MS);
  const to = firstId(value.getTime() + ID_SLACK_MS);
  if (op === "!=") return {};
  if (op === "=") return { from, to };
  return op.startsWith(">") ? { from } : { to };
}

/** Returns the smallest UUIDv7 (RFC 9562) of a time in milliseconds. */
function firstId(ms: number): string {
  const digits = Math.min(Math.max(ms, 0), 2 ** 48 - 1)
    .toString(16)
    .padStart(12, "0");
  return `${digits.slice(0, 8)}-${digits.slice(8)}-0000-0000-000000000000`;
}
