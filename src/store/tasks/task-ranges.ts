import { and, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { FINAL, STATUSES, type Status } from "../../task/status.ts";
import { tasks } from "../schema/tasks.ts";
import { behind, keyOf, list, type TaskOrder, type TaskPlace, valuesOf } from "./task-order.ts";
import { idsOf, selected, type TaskSelection, type TaskTerm } from "./task-terms.ts";

/*
 * How the first tasks of a list are found. Whatever is asked for lies in a few ranges of one index, and each range has
 * the order asked for: one for each status, of all tasks, of a project, or of a template. The first ones of each range,
 * merged, are the first of all. So PostgreSQL has one good plan, whatever the statistics say, and the time goes with the
 * size of the page, not with the number of tasks.
 */

export interface TaskSequence extends TaskSelection {
  order: TaskOrder;
  /** Only tasks behind this place. */
  after: TaskPlace | null;
}

/**
 * No range answers labels, nor all templates but one. First so many tasks in order are looked at for each that is
 * wanted; if too few of them fit, then all that fit are found by whatever index is good for that, and sorted.
 */
const LOOKED_AT = 20;

/** The ids of the first ones, as a SELECT; one may be there twice. */
export function firstIds(sequence: TaskSequence, count: number): SQL {
  const loose = sequence.terms.filter(isLoose);
  if (loose.length === 0) return sql`SELECT id FROM (${firstOfRanges(sequence, count)}) AS first`;
  const { columns, orderBy, has } = keyOf(sequence.order);
  const size = count * LOOKED_AT;
  const all = and(selected(sequence), has, behind(sequence.order, sequence.after));
  // OFFSET 0: else they might be looked for in the order of the list, past any number of others.
  return sql`
    WITH near AS MATERIALIZED (${firstOfRanges(sequence, size, loose)}),
    page AS (SELECT id FROM near WHERE fits ORDER BY ${orderBy} LIMIT ${count})
    SELECT id FROM page
    UNION ALL (
      SELECT id FROM (SELECT ${list(columns)} FROM tasks WHERE ${all} OFFSET 0) AS found
      WHERE (SELECT count(*) FROM page) < ${count} AND (SELECT count(*) FROM near) = ${size}
      ORDER BY ${orderBy} LIMIT ${count})`;
}

/** The first ones of which all but the loose terms hold; `fits` says whether these hold too. */
function firstOfRanges(sequence: TaskSequence, count: number, loose: TaskTerm[] = []): SQL {
  const { columns, orderBy, has } = keyOf(sequence.order);
  const { places, prefix } = rangesOf(sequence);
  const direction = sql.raw(sequence.order.isDescending ? "DESC" : "ASC");
  const rangeOrder = list(prefix.map(({ column }) => sql`${column} ${direction}`));
  const times = sequence.terms.filter((term) => term.field === "create_time");
  return sql`
    SELECT one.* FROM ${places} CROSS JOIN LATERAL (
      SELECT ${list(columns)}, ${selected({ project: null, terms: loose }) ?? sql`true`} AS fits FROM tasks
      WHERE ${and(inRange(prefix, sequence), selected({ project: null, terms: times }), has)}
      ORDER BY ${rangeOrder}, ${orderBy} LIMIT ${count}) AS one
    ORDER BY ${orderBy} LIMIT ${count}`;
}

interface Ranges {
  /** A row for each range. */
  places: SQL;
  /** What the index has before the order's columns, with the value that it has in a range. */
  prefix: { column: SQLWrapper; value: SQL }[];
}

function rangesOf({ project, terms, order }: TaskSequence): Ranges {
  const ofTemplate = terms.filter(isNamed);
  const templates = new Set(ofTemplate.map(({ value }) => value));
  const projects = new Set(
    [project, ...ofTemplate.map((term) => term.project)].filter((name) => name !== null),
  );
  // Of two templates at once there is no task.
  const statuses = templates.size > 1 || projects.size > 1 ? [] : statusesOf(terms, order);
  const [template] = templates;
  const [known] = projects;
  const range = { column: tasks.status, value: sql`range.status` };
  // Even a single project comes as a row: what is known of a value makes PostgreSQL guess how many tasks are in a range.
  const place = { column: tasks.project, value: sql`place.name` };
  const inStatus = sql`unnest(${`{${statuses.join(",")}}`}::text[]) AS range (status)`;
  if (template === undefined && known === undefined) return { places: inStatus, prefix: [range] };
  const named = known === undefined ? sql`(SELECT name FROM projects)` : sql`unnest(ARRAY[${known}]::text[])`;
  return {
    places: sql`${inStatus} CROSS JOIN ${named} AS place (name)`,
    prefix:
      template === undefined
        ? [place, range]
        : [place, { column: tasks.template, value: sql`${template}` }, range],
  };
}

/**
 * The range as bounds of whole rows, not as one value for each column. Ordered by all of these, no other index will do,
 * on which PostgreSQL might pass over any number of tasks that are in no range.
 */
function inRange(prefix: Ranges["prefix"], sequence: TaskSequence): SQL | undefined {
  const columns = prefix.map(({ column }) => column);
  const values = prefix.map(({ value }) => value);
  const keys = keyOf(sequence.order).columns;
  const bound = (op: string, edge: SQL[]) => sql`
    (${list([...columns, ...keys.slice(0, edge.length)])}) ${sql.raw(edge.length ? op : `${op}=`)}
    (${list([...values, ...edge])})`;
  const { lower, upper } = edgesOf(sequence);
  return and(bound(">", lower), bound("<", upper));
}

/** Values of the order's columns that no task of the sequence is below, or above. */
function edgesOf({ terms, order, after }: TaskSequence): { lower: SQL[]; upper: SQL[] } {
  if (order.by !== "create_time") {
    const edge = after ? valuesOf(order, after) : [];
    return order.isDescending ? { lower: [], upper: edge } : { lower: edge, upper: [] };
  }
  const times = terms.filter((term) => term.field === "create_time").map(idsOf);
  const place = after ? [after.id] : [];
  const lowest = [...times.flatMap(({ from }) => from ?? []), ...(order.isDescending ? [] : place)]
    .sort()
    .at(-1);
  const highest = [...times.flatMap(({ to }) => to ?? []), ...(order.isDescending ? place : [])].sort().at(0);
  const idOf = (id: string | undefined) => (id === undefined ? [] : [sql`${id}::uuid`]);
  return { lower: idOf(lowest), upper: idOf(highest) };
}

const isNamed = (term: TaskTerm): term is TaskTerm & { field: "template" } =>
  term.field === "template" && term.op === "=";
const isLoose = (term: TaskTerm) => term.field === "label" || (term.field === "template" && term.op === "!=");

function statusesOf(terms: readonly TaskTerm[], { by }: TaskOrder): Status[] {
  return STATUSES.filter(
    (status) =>
      (by !== "end_time" || FINAL.includes(status)) &&
      terms.every((term) => term.field !== "status" || (term.value === status) === (term.op === "=")),
  );
}
