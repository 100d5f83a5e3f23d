import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fillTasks, filters, OLD_LABEL, ORDERS } from "../../../bench/many-tasks.ts";
import { EVERYTHING, type Scopes } from "../../../src/store/tasks/scopes.ts";
import { listTasks } from "../../../src/store/tasks/task-list.ts";
import type { TaskOrder, TaskPlace } from "../../../src/store/tasks/task-order.ts";
import type { TaskSelection, TaskTerm } from "../../../src/store/tasks/task-terms.ts";
import { openStore, type TestStore } from "../fixture.ts";

const COUNT = 3000;
const MIDDLE = new Date(Date.now() - (COUNT / 2) * 3000);

interface Plain {
  id: string;
  project: string;
  template: string;
  status: string;
  labels: Record<string, string>;
  /** Microseconds. */
  create_time: number;
  start_time: number | null;
  end_time: number | null;
}

let store: TestStore;
let plain: Plain[];
beforeAll(async () => {
  store = await openStore();
  await fillTasks(store.sql, COUNT);
  const rows = await store.sql`
    SELECT id, project, template, status, labels, extract(epoch FROM create_time) * 1000000 AS create_time,
           extract(epoch FROM start_time) * 1000000 AS start_time, extract(epoch FROM end_time) * 1000000 AS end_time
    FROM tasks`;
  const micros = (value: string | null) => (value === null ? null : Number(value));
  plain = rows.map((row) => ({
    ...(row as unknown as Plain),
    create_time: Number(row.create_time),
    start_time: micros(row.start_time),
    end_time: micros(row.end_time),
  }));
});
afterAll(() => store[Symbol.asyncDispose]());

const OPERATORS = {
  "=": (a: number, b: number) => a === b,
  "!=": (a: number, b: number) => a !== b,
  "<": (a: number, b: number) => a < b,
  "<=": (a: number, b: number) => a <= b,
  ">": (a: number, b: number) => a > b,
  ">=": (a: number, b: number) => a >= b,
};

function holds(term: TaskTerm, task: Plain): boolean {
  if (term.field === "label") return task.labels[term.key] === term.value;
  if (term.field === "create_time") return OPERATORS[term.op](task.create_time, term.value.getTime() * 1000);
  const isIt =
    term.field === "status"
      ? task.status === term.value
      : task.template === term.value && (term.project ?? task.project) === task.project;
  return isIt === (term.op === "=");
}

/** Returns the ids that a list must have, found without an index. */
function expected({ scopes, project, terms }: TaskSelection, { by, isDescending }: TaskOrder): string[] {
  const found = plain.filter(
    (task) =>
      task[by] !== null &&
      (scopes === EVERYTHING ||
        scopes.some((scope) =>
          scope.template === undefined
            ? scope.project === task.project
            : scope.project === task.project && scope.template === task.template,
        )) &&
      (project ?? task.project) === task.project &&
      terms.every((term) => holds(term, task)),
  );
  const compare = (a: Plain, b: Plain) => (a[by] ?? 0) - (b[by] ?? 0) || (a.id < b.id ? -1 : 1);
  return found.sort((a, b) => (isDescending ? compare(b, a) : compare(a, b))).map(({ id }) => id);
}

async function allPages(selection: TaskSelection, order: TaskOrder, limit: number): Promise<string[]> {
  const ids: string[] = [];
  let after: TaskPlace | null = null;
  do {
    const page = await listTasks(store.database, { ...selection, order, after, limit });
    if (page.last) expect(page.tasks).toHaveLength(limit);
    ids.push(...page.tasks.map(({ id }) => id));
    after = page.last;
  } while (after);
  return ids;
}

const template = (op: "=" | "!=", value: string, project: string | null = null): TaskTerm => {
  return { field: "template", op, project, value };
};
const status = (op: "=" | "!=", value: "SUCCESS" | "ERROR"): TaskTerm => ({ field: "status", op, value });
const web: TaskTerm = { field: "label", key: "team", value: "web" };
const made = (op: keyof typeof OPERATORS): TaskTerm => ({ field: "create_time", op, value: MIDDLE });
/** Scopes of a caller. */
const SCOPES: Record<string, Scopes> = {
  nothing: [],
  "one project": [{ project: "flaky" }],
  "two projects": [{ project: "small" }, { project: "steady" }],
  "a template": [{ project: "steady", template: "t2" }],
  "templates of two projects": [
    { project: "steady", template: "t2" },
    { project: "flaky", template: "t2" },
    { project: "flaky", template: "old" },
  ],
  "a project, templates of it, and one of another, twice": [
    { project: "flaky", template: "t2" },
    { project: "flaky" },
    { project: "steady", template: "t3" },
    { project: "steady", template: "t3" },
    { project: "flaky" },
  ],
};
/** Selections of the bench, and unusual ones. */
const SELECTIONS: Record<string, TaskSelection> = {
  ...filters(MIDDLE),
  "a label no longer used": OLD_LABEL,
  "two statuses at once": {
    scopes: EVERYTHING,
    project: null,
    terms: [status("=", "ERROR"), status("=", "SUCCESS")],
  },
  "two templates at once": {
    scopes: EVERYTHING,
    project: null,
    terms: [template("=", "t2"), template("=", "t3")],
  },
  "a template of another project": {
    scopes: EVERYTHING,
    project: "small",
    terms: [template("=", "t2", "steady")],
  },
  "all but a template of another project": {
    scopes: EVERYTHING,
    project: "small",
    terms: [template("!=", "t2", "steady")],
  },
  "all but a template of one project": {
    scopes: EVERYTHING,
    project: null,
    terms: [template("!=", "t2", "steady")],
  },
  "a template named twice": {
    scopes: EVERYTHING,
    project: null,
    terms: [template("=", "t2"), template("=", "t2", "flaky")],
  },
  "a template and not it": {
    scopes: EVERYTHING,
    project: "flaky",
    terms: [template("=", "t2"), template("!=", "t2")],
  },
  "a template of all projects and a label": {
    scopes: EVERYTHING,
    project: null,
    terms: [template("=", "t2"), web],
  },
  "all but two templates": {
    scopes: EVERYTHING,
    project: "steady",
    terms: [template("!=", "t2"), template("!=", "old")],
  },
  "no project of that name": { scopes: EVERYTHING, project: "nowhere", terms: [web] },
  "a label, made before": { scopes: EVERYTHING, project: "steady", terms: [web, made("<")] },
  "made after a time": { scopes: EVERYTHING, project: "steady", terms: [made(">")] },
  "made at a time": { scopes: EVERYTHING, project: null, terms: [made("=")] },
  ...Object.fromEntries(
    Object.entries(SCOPES).flatMap(([name, scopes]) => [
      [`${name}: everything`, { scopes, project: null, terms: [] }],
      [`${name}: a project`, { scopes, project: "steady", terms: [status("!=", "ERROR")] }],
      [`${name}: a template`, { scopes, project: null, terms: [template("=", "t2")] }],
      [`${name}: a template of a project`, { scopes, project: null, terms: [template("=", "t2", "steady")] }],
      [`${name}: a label`, { scopes, project: null, terms: [web] }],
      [`${name}: all but a template`, { scopes, project: "flaky", terms: [template("!=", "t2"), made(">")] }],
    ]),
  ),
  "not made at a time, and not a success": {
    scopes: EVERYTHING,
    project: null,
    terms: [made("!="), status("!=", "SUCCESS")],
  },
};

describe.each(ORDERS)("ordered by $by, descending: $isDescending, pages of", (order) => {
  test.each(Object.entries(SELECTIONS))(
    "%s have the tasks that a scan of the table finds",
    async (_, selection) => {
      const ids = expected(selection, order);
      expect(await allPages(selection, order, Math.max(7, Math.ceil(ids.length / 4)))).toEqual(ids);
    },
  );
});

test("the selections cover many different lists, empty ones included", () => {
  const [order] = ORDERS;
  const sizes = Object.values(SELECTIONS).map((one) => expected(one, order as TaskOrder).length);
  expect(sizes.filter((size) => size === 0).length).toBeGreaterThan(3);
  expect(sizes.filter((size) => size > COUNT / 10).length).toBeGreaterThan(9);
  expect(sizes.filter((size) => size > 0 && size < COUNT / 10).length).toBeGreaterThan(9);
});
