import { and, eq, isNull, ne, or, type SQL, sql } from "drizzle-orm";
import { failpoint } from "../../async/failpoint.ts";
import { ACTIVE, OWNED } from "../../task/status.ts";
import type { TaskRecord } from "../../task/types.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { isInStatus, isOneOf, uuidArray } from "../postgres/is-one-of.ts";
import { statement } from "../postgres/statement.ts";
import { tasks } from "../schema/tasks.ts";
import { type ChangedTask, type Lease, transition, transitionOf } from "./transitions.ts";

/** Seconds that a lease lasts; its owner renews it three times within them. */
export const LEASE_SECONDS = 30;
/** Name of the default executor. */
export const LOCAL = "local";
/**
 * Key of the advisory lock that makes servers claim one after the other, so that each sees the tasks that the others
 * have started. Arbitrary, but the same in every version of Signalman.
 */
const CLAIM_LOCK = 5_410_252;

export const expired = sql`${tasks.leaseExpires} < clock_timestamp()`;
const leaseEnd = sql`clock_timestamp() + ${`${LEASE_SECONDS} s`}::interval`;

/** A waiting task that its template and its project would admit, with what the admission rules need. */
export interface Candidate {
  id: string;
  project: string;
  template: string;
  allowParallel: boolean;
  /** Limit of parallel tasks in the project; 0: none. */
  projectLimit: number;
  /** Number of the project's tasks that count against the limit. */
  projectActive: number;
}

/**
 * Claims waiting tasks for a node: makes them STARTING under a new epoch. `admit` chooses among the candidates,
 * which are in the order of the queue (priority, then age): the first few of each template that is not busy. Tasks of
 * executors that are not named, and of templates that require tags that are not named, wait for a node that has them.
 */
export async function claim(
  database: Database,
  node: string,
  slots: number,
  admit: (candidates: Candidate[], slots: number) => string[],
  { executors, tags }: { executors: readonly string[]; tags: readonly string[] } = {
    executors: [LOCAL],
    tags: [],
  },
): Promise<ChangedTask[]> {
  return database.run((db) =>
    db.transaction(async (tx) => {
      // Both statements are sent at once. Under READ COMMITTED the second one sees what was committed before it begins,
      // after the lock was granted. `execute` sends the lock first; drizzle sends a query only at its first `then`.
      const locked = tx.execute(sql`SELECT pg_advisory_xact_lock(${CLAIM_LOCK})`).execute();
      const [, found] = await Promise.all([
        locked,
        candidates(tx, { slots, executors: JSON.stringify(executors), tags: JSON.stringify(tags) }),
      ]);
      const chosen = admit(found, slots);
      if (chosen.length === 0) return [];
      const claimed = await toStarting(tx, { node, ids: uuidArray(chosen) });
      await failpoint("before-claim-commit");
      return claimed;
    }),
  );
}

const toStarting = statement<{ node: string; ids: string }, ChangedTask>((at) =>
  transitionOf({
    to: "STARTING",
    from: ["WAITING"],
    where: isOneOf(tasks.id, at.ids),
    set: take(at.node),
  }),
);

/** Columns that make a node the owner of a task, under a new epoch. */
export const take = (node: string | SQL) => ({
  node,
  leaseEpoch: sql`${tasks.leaseEpoch} + 1`,
  leaseExpires: leaseEnd,
});

/** Tags that the template `t` requires of a node. */
export const requiredTags = sql`coalesce(t.spec->'nodeTags', '[]')`;

/** Finds the candidates with one index probe for each template that has waiting tasks, however many wait. */
const candidates = statement<{ slots: number; executors: string; tags: string }, Candidate>(
  (at) => sql`
    WITH RECURSIVE queued (project, template) AS (
      (SELECT project, template FROM tasks WHERE status = 'WAITING' ORDER BY project, template LIMIT 1)
      UNION ALL
      SELECT n.project, n.template FROM queued q CROSS JOIN LATERAL (
        SELECT project, template FROM tasks t
        WHERE status = 'WAITING' AND (t.project, t.template) > (q.project, q.template)
        ORDER BY project, template LIMIT 1) AS n),
    active AS (
      SELECT project, template, count(*)::integer AS n FROM tasks
      WHERE ${isInStatus(ACTIVE)} GROUP BY project, template),
    blocked AS (SELECT DISTINCT project, template FROM tasks WHERE may_still_run),
    project_active AS (SELECT project, sum(n)::integer AS n FROM active GROUP BY project)
    SELECT c.id, q.project, q.template, coalesce(t.allow_parallel_tasks, false) AS "allowParallel",
           p.max_parallel_tasks AS "projectLimit", coalesce(pa.n, 0) AS "projectActive"
    FROM queued q
    JOIN projects p ON p.name = q.project
    LEFT JOIN templates t ON t.project = q.project AND t.name = q.template
    LEFT JOIN active a ON a.project = q.project AND a.template = q.template
    LEFT JOIN blocked b ON b.project = q.project AND b.template = q.template
    LEFT JOIN project_active pa ON pa.project = q.project
    CROSS JOIN LATERAL (
      SELECT id, priority FROM tasks w
      WHERE w.status = 'WAITING' AND w.project = q.project AND w.template = q.template
        AND ${at.executors}::jsonb ? w.executor
      ORDER BY w.priority DESC NULLS LAST, w.id
      LIMIT CASE WHEN t.allow_parallel_tasks THEN ${at.slots}::integer ELSE 1 END) AS c
    WHERE (t.allow_parallel_tasks OR (a.n IS NULL AND b.template IS NULL))
      AND ${requiredTags} <@ ${at.tags}::jsonb
      AND (p.max_parallel_tasks = 0 OR coalesce(pa.n, 0) < p.max_parallel_tasks)
    ORDER BY c.priority DESC, c.id`,
);

/** Kill request and epoch of a task, as its owner reads them. */
export type KillRequestState = Pick<TaskRecord, "id" | "leaseEpoch" | "status" | "killTime" | "killForce"> & {
  /** Milliseconds until SIGKILL, by the database's clock; null: there is no kill request. */
  killRemainingMs: number | null;
};

const killRequests = {
  id: tasks.id,
  leaseEpoch: tasks.leaseEpoch,
  status: tasks.status,
  killTime: tasks.killTime,
  killForce: tasks.killForce,
  killRemainingMs: sql<
    number | null
  >`(extract(epoch FROM ${tasks.killDeadline} - clock_timestamp()) * 1000)::float8`,
};

/**
 * Renews the leases of a node's tasks, and returns their kill requests. A task that is missing or has another epoch is
 * lost. Confirmed plans that wait for a slot get a lease that ends now, which shows other nodes that this node is
 * alive.
 */
export async function renew(
  database: Database,
  node: string,
  ids: readonly string[],
): Promise<KillRequestState[]> {
  if (ids.length === 0) return [];
  return database.run((db) =>
    db
      .update(tasks)
      .set({
        leaseExpires: sql`CASE WHEN ${isOneOf(tasks.id, ids)} THEN ${leaseEnd} ELSE clock_timestamp() END`,
      })
      .where(
        and(eq(tasks.node, node), or(isOneOf(tasks.id, ids), isInStatus(["CONFIRMED"])), isInStatus(OWNED)),
      )
      .returning(killRequests),
  );
}

/** Returns the kill requests of tasks, whichever node owns them. */
export async function readKillRequests(
  database: Database,
  ids: readonly string[],
): Promise<KillRequestState[]> {
  if (ids.length === 0) return [];
  return database.run((db) => db.select(killRequests).from(tasks).where(isOneOf(tasks.id, ids)));
}

/** Changes STARTING tasks back to WAITING. No program of theirs has been started, so any node may start them. */
export async function backToQueue(db: Queryable, where: SQL | undefined): Promise<ChangedTask[]> {
  return transition(db, {
    to: "WAITING",
    from: ["STARTING"],
    where,
    set: { node: null, leaseExpires: null, leaseEpoch: sql`${tasks.leaseEpoch} + 1` },
    message: "Back in the queue, because its server went away before it had started it",
  });
}

/** Returns a task to the queue; undefined: it is no longer STARTING under this epoch. */
export async function release(database: Database, lease: Lease): Promise<ChangedTask | undefined> {
  const { id, leaseEpoch } = lease;
  const where = and(eq(tasks.id, id), eq(tasks.leaseEpoch, leaseEpoch));
  const [changed] = await database.run((db) => backToQueue(db, where));
  return changed;
}

/** Puts tasks back into the queue that other nodes claimed but did not start before their lease expired. */
export async function rescue(database: Database, node: string): Promise<ChangedTask[]> {
  return database.run((db) => backToQueue(db, and(ne(tasks.node, node), expired)));
}

/** Ends tasks with a kill request that other nodes did not start before their lease expired. */
export async function stopUnstarted(database: Database, node: string): Promise<ChangedTask[]> {
  const message = "Stopped before it was started";
  return database.run((db) =>
    transition(db, {
      to: "STOPPED",
      from: ["STOPPING"],
      where: and(ne(tasks.node, node), expired, isNull(tasks.startTime)),
      set: {
        endReason: "STOPPED_BY_USER",
        endMessage: message,
        leaseExpires: null,
        leaseEpoch: sql`${tasks.leaseEpoch} + 1`,
      },
      message,
    }),
  );
}
