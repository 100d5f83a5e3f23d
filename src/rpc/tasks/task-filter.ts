import type { FixedTerm, TaskTerm } from "../../store/tasks/task-terms.ts";
import { invalid } from "../../task/errors.ts";
import { STATUSES } from "../../task/status.ts";
import { parseResourceName } from "../names.ts";
import { statusFromWord } from "./messages.ts";

const TERM = /^\s*([a-z_]+(?:\.[a-z0-9._/-]+)?)\s*(<=|>=|!=|=|<|>)\s*("(?:[^"\\]|\\.)*"|[^\s"]+)\s*/;
/** Most terms of a filter, to keep queries fast. PostgreSQL takes 65,534 parameters. */
const MOST_TERMS = 50;
const AND = /^AND(?:\s+|$)/;
/** Time as in RFC 3339, section 5.6. */
const TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

/**
 * Parses the filter of ListTasks, a subset of AIP-160: terms joined by AND.
 * @throws Failure invalid that quotes the wrong part.
 */
export function parseTaskFilter(filter: string): TaskTerm[] {
  const terms: TaskTerm[] = [];
  let rest = filter.trim();
  while (rest !== "") {
    const match = TERM.exec(rest);
    if (!match) throw refuse(`expected FIELD OPERATOR VALUE at: ${rest.slice(0, 40)}`);
    const [whole, field = "", op = "", raw = ""] = match;
    if (terms.length === MOST_TERMS) throw refuse(`has more than ${MOST_TERMS} terms, which is the limit`);
    terms.push(termOf(field, op, unquote(raw)));
    rest = rest.slice(whole.length);
    if (rest === "") break;
    const and = AND.exec(rest);
    if (!and) throw refuse(`expected AND at: ${rest.slice(0, 40)}`);
    rest = rest.slice(and[0].length);
    if (rest === "") throw refuse("ends with AND");
  }
  return terms;
}

/**
 * Parses the filter of WatchTasks, which takes only terms on fields that never change.
 * @throws Failure invalid that quotes the wrong part.
 */
export function parseFixedFilter(filter: string): FixedTerm[] {
  return parseTaskFilter(filter).map((term) => {
    if (term.field === "template" || term.field === "label") return term;
    throw refuse(`cannot watch by ${term.field}; expected template (=, !=) or labels.KEY (=)`);
  });
}

function termOf(field: string, op: string, value: string): TaskTerm {
  if (field === "status" && isEquality(op)) {
    const status = statusFromWord(value.replace(/^TASK_STATUS_/, ""));
    if (!status) throw refuse(`unknown status "${value}"; expected one of ${STATUSES.join(", ")}`);
    return { field, op, value: status };
  }
  if (field === "template" && isEquality(op)) {
    const { project, name } = parseResourceName(value);
    return name ? { field, op, project, value: name } : { field, op, project: null, value };
  }
  if (field === "create_time" && isOrder(op)) {
    const time = new Date(value);
    if (!TIME.test(value) || Number.isNaN(time.getTime()))
      throw refuse(`"${value}" is not a time; expected RFC 3339, such as 2026-01-31T12:00:00Z`);
    return { field, op, value: time };
  }
  if (field.startsWith("labels.") && op === "=")
    return { field: "label", key: field.slice("labels.".length), value };
  throw refuse(
    `unknown term ${field} ${op}; expected status or template (=, !=), create_time (=, !=, <, <=, >, >=), labels.KEY (=)`,
  );
}

const isEquality = (op: string): op is "=" | "!=" => op === "=" || op === "!=";
const isOrder = (op: string): op is "=" | "!=" | "<" | "<=" | ">" | ">=" =>
  ["=", "!=", "<", "<=", ">", ">="].includes(op);

function unquote(raw: string): string {
  return raw.startsWith('"') ? raw.slice(1, -1).replace(/\\(.)/g, "$1") : raw;
}

function refuse(description: string) {
  return invalid([{ field: "filter", description }]);
}
