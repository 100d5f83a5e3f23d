import type { FixedTerm, TaskTerm } from "../../store/tasks/task-terms.ts";
import { STATUSES } from "../../task/status.ts";
import { isEquality, isOrder, parseFilter, parseTime, refuseFilter } from "../filter.ts";
import { parseResourceName } from "../names.ts";
import { statusFromWord } from "./messages.ts";

/**
 * Parses the filter of ListTasks.
 * @throws Failure invalid that quotes the wrong part.
 */
export const parseTaskFilter = (filter: string): TaskTerm[] => parseFilter(filter, termOf);

/**
 * Parses the filter of WatchTasks, which takes only terms on fields that never change.
 * @throws Failure invalid that quotes the wrong part.
 */
export function parseFixedFilter(filter: string): FixedTerm[] {
  return parseTaskFilter(filter).map((term) => {
    if (term.field === "template" || term.field === "label") return term;
    throw refuseFilter(`cannot watch by ${term.field}; expected template (=, !=) or labels.KEY (=)`);
  });
}

function termOf(field: string, op: string, value: string): TaskTerm {
  if (field === "status" && isEquality(op)) {
    const status = statusFromWord(value.replace(/^TASK_STATUS_/, ""));
    if (!status) throw refuseFilter(`unknown status "${value}"; expected one of ${STATUSES.join(", ")}`);
    return { field, op, value: status };
  }
  if (field === "template" && isEquality(op)) {
    const { project, name } = parseResourceName(value);
    return name ? { field, op, project, value: name } : { field, op, project: null, value };
  }
  if (field === "create_time" && isOrder(op)) return { field, op, value: parseTime(value) };
  if (field.startsWith("labels.") && op === "=")
    return { field: "label", key: field.slice("labels.".length), value };
  throw refuseFilter(
    `unknown term ${field} ${op}; expected status or template (=, !=), create_time (=, !=, <, <=, >, >=), labels.KEY (=)`,
  );
}
