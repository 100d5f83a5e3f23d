import type postgres from "postgres";
import { EVERYTHING } from "../src/store/tasks/scopes.ts";
import type { TaskOrder } from "../src/store/tasks/task-order.ts";
import type { TaskSelection, TaskTerm } from "../src/store/tasks/task-terms.ts";
import type { Status } from "../src/task/status.ts";

/**
 * Replaces all tasks by `count` others, a multiple of 100. Their distribution is realistic and misleads the planner's
 * estimates: a status that is common in one project is rare in another, one template and one label were used only long ago,
 * many tasks start at the same moment, and the newest have not ended.
 */
export async function fillTasks(sql: postgres.Sql, count: number): Promise<void> {
  const now = sql`date_trunc('milliseconds', now())`;
  const spec =
    '{"message": "", "variables": {}, "secretNames": [], "env": {}, "arguments": [], "gitBranch": "", "commit": ""}';
  await sql`TRUNCATE tasks CASCADE`;
  await sql`
    INSERT INTO projects (name, spec) SELECT name, '{}' FROM unnest(ARRAY['steady', 'flaky', 'small']) AS p (name)
    ON CONFLICT DO NOTHING`;
  await sql`
    INSERT INTO tasks (id, project, template, app, status, priority, labels, spec, create_time, start_time, end_time,
      end_reason, node, lease_expires)
    SELECT uuid_v7(at), project, template, 'bash', status, 50, labels, ${spec}::text::jsonb, at,
      CASE WHEN status <> 'WAITING' THEN date_trunc('minute', at) + interval '1 minute' END,
      CASE WHEN status IN ('SUCCESS', 'ERROR', 'STOPPED') THEN at + (60 + n % 977 * 7919 % 977) * interval '1.000001 s' END,
      CASE status WHEN 'ERROR' THEN 'LOST' WHEN 'STOPPED' THEN 'SIGNAL' END,
      CASE WHEN status = 'RUNNING' THEN gen_random_uuid() END,
      CASE WHEN status = 'RUNNING' THEN at + interval '1 year' END
    FROM (
      SELECT *,
        CASE WHEN n > ${count}::integer - 20 THEN 'WAITING' WHEN n > ${count}::integer - 40 THEN 'RUNNING'
          WHEN project = 'flaky' AND n % 3 = 0 OR project = 'steady' AND n % every = 7 THEN 'ERROR'
          WHEN n % every = 13 THEN 'STOPPED' ELSE 'SUCCESS' END AS status,
        CASE WHEN n % every = 15 THEN 'rare' WHEN n < ${count}::integer / 100 AND n % 4 = 1 THEN 'old'
          ELSE 't' || n / 3 % 20 END AS template,
        CASE WHEN n % every = 21 THEN '{"team": "web", "commit": "3"}'
          WHEN n % 5 = 0 THEN jsonb_build_object('team', 'web', 'commit', 'c' || n / 10)
          WHEN n % 5 = 1 THEN jsonb_build_object('commit', 'c' || n / 10)
          WHEN n % 5 = 2 AND n < ${count}::integer / 2 THEN '{"era": "old"}' ELSE '{}' END AS labels
      FROM (
        SELECT n, ${count}::integer / 20 AS every, ${now} - (${count}::integer - n) * interval '3 s' AS at,
          CASE WHEN n % 100 = 0 THEN 'small' WHEN n % 10 IN (3, 4) THEN 'flaky' ELSE 'steady' END AS project
        FROM generate_series(1, ${count}::integer) AS n) AS numbered) AS made`;
  await sql`INSERT INTO task_heads (task_id) SELECT id FROM tasks`;
  await sql`VACUUM ANALYZE tasks`;
  await sql`VACUUM ANALYZE task_heads`;
}

const status = (value: Status, op: "=" | "!=" = "="): TaskTerm => ({ field: "status", op, value });
const label = (key: string, value: string): TaskTerm => ({ field: "label", key, value });
const template = (value: string, project: string | null = null, op: "=" | "!=" = "="): TaskTerm => {
  return { field: "template", op, project, value };
};

/** Kinds of filter for these tasks. `middle`: time at which half of them had been created. */
export function filters(middle: Date): Record<string, TaskSelection> {
  const made = (op: "<" | ">=", value = middle): TaskTerm => ({ field: "create_time", op, value });
  const all = (...terms: TaskTerm[]): TaskSelection => ({ scopes: EVERYTHING, project: null, terms });
  const steady = (...terms: TaskTerm[]): TaskSelection => ({ scopes: EVERYTHING, project: "steady", terms });
  const small = (...terms: TaskTerm[]): TaskSelection => ({ scopes: EVERYTHING, project: "small", terms });
  return {
    "all tasks": all(),
    "a project": steady(),
    "a small project": small(),
    "status SUCCESS": all(status("SUCCESS")),
    "status ERROR": all(status("ERROR")),
    "status STOPPED, rare": all(status("STOPPED")),
    "status RUNNING": all(status("RUNNING")),
    "status WAITING": all(status("WAITING")),
    "status CONFIRMED, none": all(status("CONFIRMED")),
    "not SUCCESS": all(status("SUCCESS", "!=")),
    "ERROR in its project": { scopes: EVERYTHING, project: "flaky", terms: [status("ERROR")] },
    "ERROR in a project where it is rare": steady(status("ERROR")),
    "ERROR in a project where there is none": small(status("ERROR")),
    "RUNNING in a project": steady(status("RUNNING")),
    "a project, not SUCCESS": steady(status("SUCCESS", "!=")),
    "a template": steady(template("t2", "steady")),
    "all but a template": steady(template("t2", null, "!=")),
    "a rare template": steady(template("rare", "steady")),
    "a template no longer used": steady(template("old", "steady")),
    "a template of all projects": all(template("t2")),
    "a rare template of all projects": all(template("rare")),
    "a template of all no longer used": all(template("old")),
    "a template of none": all(template("nowhere")),
    "ERROR of a template": steady(status("ERROR"), template("t2", "steady")),
    "a common label": all(label("team", "web")),
    "a common label in a small project": small(label("team", "web")),
    "a rare label": all(label("commit", "3")),
    "a label of none": all(label("commit", "none")),
    "two labels": steady(label("team", "web"), label("commit", "3")),
    "a common label and ERROR": steady(label("team", "web"), status("ERROR")),
    "made before a time": all(made("<")),
    "made within an hour": all(made(">="), made("<", new Date(middle.getTime() + 3_600_000))),
    "SUCCESS of a project, made before": small(status("SUCCESS"), made("<")),
  };
}

/** The one kind of filter whose time grows with the number of tasks: a label that a tenth of them have, all of them old. */
export const OLD_LABEL: TaskSelection = { scopes: EVERYTHING, project: null, terms: [label("era", "old")] };

export const ORDERS: readonly TaskOrder[] = (["create_time", "start_time", "end_time"] as const).flatMap(
  (by) => [true, false].map((isDescending) => ({ by, isDescending })),
);
