import { and, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { FINAL, STATUSES, type Status } from "../../task/status.ts";
import { tasks } from "../schema/tasks.ts";
import { disjoint, EVERYTHING, type Scope } from "./scopes.ts";
import { behind, keyOf, list, type TaskOrder, type TaskPlace, valuesOf } from "./task-order.ts";
import { idsOf, selected, type TaskSelection, type TaskTerm } from "./task-terms.ts";

/*
 * Finds the first tasks of a list. The tasks of a list lie in a few ranges of one index, each of which is in the order
 * of the list: one range for each status, of all tasks, of a project, or of a template. The query reads the first tasks
 * of each range and merges them. PostgreSQL therefore has one good plan, independent of its statistics, and the time
 * grows with the size of the page and not with the number of tasks.
 */

export interface TaskSequence extends TaskSelection {
  order: TaskOrder;
  /** Only tasks after this place. */
  after: TaskPlace | null;
}

/**
 * Number of tasks that are read for each one that is wanted if the filter has loose terms, which no range answers:
 * labels, and all templates except one. If too few of the tasks read match, a second query finds all matches by any
 * index and sorts them.
 */
const LOOKED_AT = 20;

/** Returns a SELECT of the ids of the first `count` tasks; an id may occur twice. */
export function firstIds(sequence: TaskSequence, count: number): SQL {
  const loose = sequence.terms.filter(isLoose);
  if (loose.length === 0) return sql`SELECT id FROM (${firstOfRanges(sequence, count)}) AS first`;
  const { columns, orderBy, has } = keyOf(sequence.order);
  const size = count * LOOKED_AT;
  const all = and(selected(sequence), has, behind(sequence.order, sequence.after));
  // OFFSET 0 keeps PostgreSQL from searching in the order of the list, which may pass any number of other tasks.
  return sql`
    WITH near AS MATERIALIZED (${firstOfRanges(sequence, size, loose)}),
    page AS (SELECT id FROM near WHERE fits ORDER BY ${orderBy} LIMIT ${count})
    SELECT id FROM page
    UNION ALL (
      SELECT id FROM (SELECT ${list(columns)} FROM tasks WHERE ${all} OFFSET 0) AS found
      WHERE (SELECT count(*) FROM page) < ${count} AND (SELECT count(*) FROM near) = ${size}
      ORDER BY ${orderBy} LIMIT ${count})`;
}

/** Returns a SELECT of the first tasks that match all terms but the loose ones; column `fits`: these match as well. */
function firstOfRanges(sequence: TaskSequence, count: number, loose: TaskTerm[] = []): SQL {
  const { columns, orderBy, has } = keyOf(sequence.order);
  const direction = sql.raw(sequence.order.isDescending ? "DESC" : "ASC");
  const anywhere = { scopes: EVERYTHING, project: null } as const;
  const times = sequence.terms.filter((term) => term.field === "create_time");
  const fits = selected({ ...anywhere, terms: loose }) ?? sql`true`;
  const firstOf = ({ places, prefix }: Ranges) => sql`
    SELECT one.* FROM ${places} CROSS JOIN LATERAL (
      SELECT ${list(columns)}, ${fits} AS fits FROM tasks
      WHERE ${and(inRange(prefix, sequence), selected({ ...anywhere, terms: times }), has)}
      ORDER BY ${list(prefix.map(({ column }) => sql`${column} ${direction}`))}, ${orderBy} LIMIT ${count}) AS one
    ORDER BY ${orderBy} LIMIT ${count}`;
  const [first, second] = rangesOf(sequence).map(firstOf);
  if (!first) return sql`SELECT ${list(columns)}, true AS fits FROM tasks WHERE false`;
  if (!second) return first;
  return sql`SELECT * FROM ((${first}) UNION ALL (${second})) AS ranges ORDER BY ${orderBy} LIMIT ${count}`;
}

/** Where tasks of a sequence may be: in a template, in a project, in a template of any project, or anywhere. */
type Place = Partial<Scope>;

/**
 * Returns disjoint places. All name the same of project and template, except that whole projects may stand beside
 * templates.
 */
function placesOf({ scopes, project, terms }: TaskSequence): Place[] {
  const wanted: Place[] = [
    project === null ? {} : { project },
    ...terms
      .filter(isNamed)
      .map((term) => ({ template: term.value, ...(term.project !== null && { project: term.project }) })),
  ];
  const visible: Place[] = scopes === EVERYTHING ? [{}] : disjoint(scopes);
  return visible.flatMap((place) => wanted.reduce<Place | undefined>(narrowed, place) ?? []);
}

/** Returns the intersection of two places; undefined: it is empty. */
function narrowed(one: Place | undefined, other: Place): Place | undefined {
  if (!one) return undefined;
  const differs = (key: keyof Scope) => (one[key] ?? other[key]) !== (other[key] ?? one[key]);
  return differs("project") || differs("template") ? undefined : { ...one, ...other };
}

/** A set of ranges of one index. */
interface Ranges {
  /** FROM item with one row for each range. */
  places: SQL;
  /** Columns of the index before those of the order, with their values in a range. */
  prefix: { column: SQLWrapper; value: SQL }[];
}

/** Returns the ranges of whole projects (or of all tasks) and those of templates. */
function rangesOf(sequence: TaskSequence): Ranges[] {
  const { projects = [], templates = [] } = Object.groupBy(placesOf(sequence), ({ template }) =>
    template === undefined ? "projects" : "templates",
  );
  const statuses = statusesOf(sequence.terms, sequence.order);
  const inStatus = sql`unnest(${`{${statuses.join(",")}}`}::text[]) AS range (status)`;
  const range = { column: tasks.status, value: sql`range.status` };
  const project = { column: tasks.project, value: sql`place.project` };
  const template = { column: tasks.template, value: sql`place.template` };
  return [
    { named: projects, prefix: [project, range] },
    { named: templates, prefix: [project, template, range] },
  ].flatMap(({ named, prefix }): Ranges[] => {
    if (named.length === 0) return [];
    const rows = rowsOf(named);
    return rows
      ? [{ places: sql`${inStatus} CROSS JOIN ${rows}`, prefix }]
      : [{ places: inStatus, prefix: [range] }];
  });
}

/**
 * Returns a FROM item with one row for each place; undefined: the only place is "anywhere". Even a single place is a
 * row, since a constant would make PostgreSQL choose the plan by an estimate of the range's size.
 */
function rowsOf(places: readonly Place[]): SQL | undefined {
  const array = (values: (string | undefined)[]) =>
    sql`ARRAY[${list(values.map((value) => sql`${value ?? null}`))}]::text[]`;
  const templates = array(places.map(({ template }) => template));
  if (places.every(({ project }) => project !== undefined)) {
    const projects = array(places.map(({ project }) => project));
    return sql`unnest(${projects}, ${templates}) AS place (project, template)`;
  }
  if (places.every(({ template }) => template === undefined)) return undefined;
  return sql`(SELECT name, template FROM projects, unnest(${templates}) AS template) AS place (project, template)`;
}

/**
 * Returns the condition of a range as bounds of whole rows instead of one condition for each column. Together with
 * ORDER BY of the same columns only the right index fits. With another index PostgreSQL might pass any number of tasks
 * outside of the range.
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

/** Returns lower and upper bounds of the sequence, as values of the order's columns; empty: no bound. */
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
