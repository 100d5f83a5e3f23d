import { sql } from "drizzle-orm";
import { ACTIVE } from "../../task/status.ts";
import type { Database } from "../postgres/database.ts";
import { isInStatus, uuidArray } from "../postgres/is-one-of.ts";
import { statement } from "../postgres/statement.ts";
import { nodes } from "../schema/nodes.ts";
import { requiredTags } from "../tasks/leases.ts";
import { isReady } from "./nodes.ts";

/** Facts that say why a waiting task has not started; the admission rules (pool/admission.ts) read the same ones. */
export interface Wait {
  id: string;
  /** Task that holds the template: LOST and perhaps still running. null: none does. */
  lostTask: string | null;
  /** Node of `lostTask`. */
  lostNode: string | null;
  /** Active task that holds the template; null: none does. */
  activeTask: string | null;
  /** Limit of parallel tasks in the project; 0: none. */
  projectLimit: number;
  /** Number of the project's tasks that count against the limit. */
  projectActive: number;
  /** Tags that the template requires of a node. */
  nodeTags: string[];
  /** Number of nodes that may start the task, and the sums of their slots. */
  readyNodes: number;
  slots: number;
  usedSlots: number;
}

/** Reads why tasks wait; tasks that do not wait are left out. */
export async function readWaits(database: Database, ids: readonly string[]): Promise<Wait[]> {
  return database.run((db) => waits(db, { ids: uuidArray(ids) }));
}

const waits = statement<{ ids: string }, Wait>(
  (at) => sql`
    WITH active AS MATERIALIZED (
      SELECT id, project, template, node, status FROM tasks WHERE ${isInStatus(ACTIVE)}),
    ready AS MATERIALIZED (
      SELECT ${nodes.id} AS id, ${nodes.tags} AS tags, ${nodes.slots} AS slots,
        (SELECT count(*)::integer FROM active a WHERE a.node = ${nodes.id} AND a.status NOT IN ('WAITING_CONFIRMATION', 'CONFIRMED')) AS used
      FROM nodes WHERE ${isReady})
    SELECT w.id, lost.id AS "lostTask", lost.node AS "lostNode", busy.id AS "activeTask",
      p.max_parallel_tasks AS "projectLimit",
      (SELECT count(*)::integer FROM active a WHERE a.project = w.project) AS "projectActive",
      ${requiredTags} AS "nodeTags", n.nodes AS "readyNodes", n.slots, n.used AS "usedSlots"
    FROM tasks w
    JOIN projects p ON p.name = w.project
    LEFT JOIN templates t ON t.project = w.project AND t.name = w.template
    LEFT JOIN LATERAL (
      SELECT l.id, l.node FROM tasks l
      WHERE l.may_still_run AND l.project = w.project AND l.template = w.template
        AND NOT coalesce(t.allow_parallel_tasks, false)
      ORDER BY l.id LIMIT 1) AS lost ON true
    LEFT JOIN LATERAL (
      SELECT a.id FROM active a
      WHERE a.project = w.project AND a.template = w.template AND NOT coalesce(t.allow_parallel_tasks, false)
      ORDER BY a.id LIMIT 1) AS busy ON true
    CROSS JOIN LATERAL (
      SELECT count(*)::integer AS nodes, coalesce(sum(slots), 0)::integer AS slots,
        coalesce(sum(used), 0)::integer AS used
      FROM ready WHERE ${requiredTags} <@ ready.tags) AS n
    WHERE w.id = ANY(${at.ids}::uuid[]) AND w.status = 'WAITING'`,
);
