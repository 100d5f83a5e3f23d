import { and, eq, isNull, ne, or, type SQL, sql } from "drizzle-orm";
import { ACTIVE, OWNED } from "../../task/status.ts";
import type { TaskRecord } from "../../task/types.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { isInStatus, isOneOf, uuidArray } from "../postgres/is-one-of.ts";
import { statement } from "../postgres/statement.ts";
import { tasks } from "../schema/tasks.ts";
import { type Lease, type Moved, move, moveOf } from "./moves.ts";

/** Seconds that a lease lasts; its owner renews it three times as often. */
export const LEASE_SECONDS = 30;
/** The executor of tasks that name no other. */
export const LOCAL = "local";
/** Serialises claims of all servers, so that limits are counted, not guessed. Any number, the same everywhere. */
const CLAIM_LOCK = 5_410_252;

export const expired = sql`${tasks.leaseExpires} < clock_timestamp()`;
const leaseEnd = sql`clock_timestamp() + ${`${LEASE_SECONDS} s`}::interval`;

/** A waiting task that its template and its project would admit, with what the admission rules need. */
export interface Candidate {
  id: string;
  project: string;
  template: string;
  allowParallel: boolean;
  /** 0: no limit. */
  projectLimit: number;
  projectActive: number;
}

/**
 * Takes waiting tasks for a node: STARTING, under a new epoch. `admit` chooses among the candidates, which come
 * in the order of the queue (priority, then age), the best few of each template that is not blocked. Tasks of other
 * executors than these wait for a node that has theirs.
 */
export async function claim(
  database: Database,
  node: string,
  slots: number,
  admit: (candidates: Candidate[], slots: number) => string[],
  executors: readonly string[] = [LOCAL],
): Promise<Moved[]> {
  return database.run((db) =>
    db.transaction(async (tx) => {
      // Sent together: each statement of a transaction sees what was committed when it begins (READ COMMITTED).
      // A query of drizzle is sent by `execute` or the first `then`: without the former, the lock would come second.
      const locked = tx.execute(sql`SELECT pg_advisory_xact_lock(${CLAIM_LOCK})`).execute();
      const [, found] = await Promise.all([
        locked,
        candidates(tx, { slots, executors: JSON.stringify(executors) }),
      ]);
      const chosen = admit(found, slots);
      return chosen.length === 0 ? [] : toStarting(tx, { node, ids: uuidArray(chosen) });
    }),
  );
}

const toStarting = statement<{ node: string; ids: string }, Moved>((at) =>
  moveOf({
    to: "STARTING",
    from: ["WAITING"],
    where: isOneOf(tasks.id, at.ids),
    set: take(at.node),
  }),
);

/** What makes a task a node's, under a new epoch. */
export const take = (node: string | SQL) => ({
  node,
  leaseEpoch: sql`${tasks.leaseEpoch} + 1`,
  leaseExpires: leaseEnd,
});

/** One index probe for each template that has waiting tasks, however many wait. */
const candidates = statement<{ slots: number; executors: string }, Candidate>(
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
    project_active AS (SELECT project, sum(n)::integer AS n FROM active GROUP BY project)
    SELECT c.id, q.project, q.template, coalesce(t.allow_parallel_tasks, false) AS "allowParallel",
           p.max_parallel_tasks AS "projectLimit", coalesce(pa.n, 0) AS "projectActive"
    FROM queued q
    JOIN projects p ON p.name = q.project
    LEFT JOIN templates t ON t.project = q.project AND t.name = q.template
    LEFT JOIN active a ON a.project = q.project AND a.template = q.template
    LEFT JOIN project_active pa ON pa.project = q.project
    CROSS JOIN LATERAL (
      SELECT id, priority FROM tasks w
      WHERE w.status = 'WAITING' AND w.project = q.project AND w.template = q.template
        AND ${at.executors}::jsonb ? w.executor
      ORDER BY w.priority DESC NULLS LAST, w.id
      LIMIT CASE WHEN t.allow_parallel_tasks THEN ${at.slots}::integer ELSE 1 END) AS c
    WHERE (t.allow_parallel_tasks OR a.n IS NULL)
      AND (p.max_parallel_tasks = 0 OR coalesce(pa.n, 0) < p.max_parallel_tasks)
    ORDER BY c.priority DESC, c.id`,
);

/** The kill request of a task, as its owner must know it; returned by every lease renewal. */
export type KillRequestState = Pick<TaskRecord, "id" | "leaseEpoch" | "status" | "killTime" | "killForce"> & {
  /** Until SIGKILL, by the database's clock; null without a request. */
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
 * Renews the leases of a node's tasks. One that is missing, or has another epoch, is lost. Confirmed ones that wait for a
 * slot show by a lease that has just ended that their node is alive.
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

/** The kill requests alone, whichever node owns the tasks now. */
export async function readKillRequests(
  database: Database,
  ids: readonly string[],
): Promise<KillRequestState[]> {
  if (ids.length === 0) return [];
  return database.run((db) => db.select(killRequests).from(tasks).where(isOneOf(tasks.id, ids)));
}

/** STARTING → WAITING: nothing of the task has been started, so anyone may. */
export async function backToQueue(db: Queryable, where: SQL | undefined): Promise<Moved[]> {
  return move(db, {
    to: "WAITING",
    from: ["STARTING"],
    where,
    set: { node: null, leaseExpires: null, leaseEpoch: sql`${tasks.leaseEpoch} + 1` },
    message: "Back in the queue: its server went away before it was started",
  });
}

/** Gives a task back that this server has not started; undefined: it is not STARTING under this epoch any more. */
export async function release(database: Database, lease: Lease): Promise<Moved | undefined> {
  const { id, leaseEpoch } = lease;
  const where = and(eq(tasks.id, id), eq(tasks.leaseEpoch, leaseEpoch));
  const [moved] = await database.run((db) => backToQueue(db, where));
  return moved;
}

/** Puts back what other servers than this node claimed, did not start, and let expire. */
export async function rescue(database: Database, node: string): Promise<Moved[]> {
  return database.run((db) => backToQueue(db, and(ne(tasks.node, node), expired)));
}

/** The same for what somebody asked to end before it was started: nothing of it runs, so it has ended. */
export async function stopUnstarted(database: Database, node: string): Promise<Moved[]> {
  const message = "Stopped before it was started";
  return database.run((db) =>
    move(db, {
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
