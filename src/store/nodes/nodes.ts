import { and, eq, sql } from "drizzle-orm";
import type { Actor } from "../../task/caller.ts";
import { Failure, notFound } from "../../task/errors.ts";
import { ACTIVE } from "../../task/status.ts";
import { recordChanges } from "../audit.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { isInStatus, isOneOf } from "../postgres/is-one-of.ts";
import { nodes } from "../schema/nodes.ts";
import { tasks } from "../schema/tasks.ts";
import { backToQueue, LEASE_SECONDS } from "../tasks/leases.ts";
import { type ChangedTask, transition } from "../tasks/transitions.ts";

/** Facts that a server writes into its row. */
export type NodeFacts = Pick<
  typeof nodes.$inferInsert,
  "hostName" | "address" | "version" | "roles" | "tags" | "slots" | "problem"
>;

export type NodeState = "READY" | "DRAINING" | "UNWELL" | "AWAY" | "LOST";

/** A node with its state and its tasks. */
export type NodeView = Omit<typeof nodes.$inferSelect, "draining"> & {
  state: NodeState;
  /** Number of tasks that the node prepares, runs or stops. */
  usedSlots: number;
  /** Number of its plans that wait for a decision or for a slot. */
  waitingPlans: number;
  /** Number of its LOST tasks that may still run. */
  lostTasks: number;
};

/**
 * Condition that a node gives signs of life: it was not stopped, and has written its row within the time after which others
 * may take over its tasks.
 */
export const isAlive = sql`(${nodes.stopTime} IS NULL AND ${nodes.heartbeatTime} > clock_timestamp() - ${`${LEASE_SECONDS} s`}::interval)`;

/** Condition that a node may start tasks. */
export const isReady = sql`(${isAlive} AND ${nodes.problem} = '' AND NOT ${nodes.draining} AND ${nodes.slots} > 0)`;

/**
 * Writes a node's row. `isStart`: the server has just been started. Resolves to whether the node may start no more tasks.
 * A node that was removed appears again.
 */
export async function beat(
  database: Database,
  id: string,
  { facts, isStart }: { facts: NodeFacts; isStart: boolean },
): Promise<{ draining: boolean }> {
  const now = sql`clock_timestamp()`;
  const written = { ...facts, heartbeatTime: now, stopTime: null };
  const [row] = await database.run((db) =>
    db
      .insert(nodes)
      .values({ id, startTime: now, ...written })
      .onConflictDoUpdate({
        target: nodes.id,
        set: { ...written, ...(isStart && { startTime: now }) },
      })
      .returning({ draining: nodes.draining }),
  );
  return { draining: row?.draining ?? false };
}

/** Records that a node's server was stopped. */
export async function leave(database: Database, id: string): Promise<void> {
  await database.run((db) =>
    db.update(nodes).set({ stopTime: sql`clock_timestamp()` }).where(eq(nodes.id, id)),
  );
}

/** Returns the node. @throws Failure not_found. */
export async function getNode(database: Database, id: string, lostTimeoutMs: number): Promise<NodeView> {
  return database.run((db) => oneNode(db, id, lostTimeoutMs));
}

/** Returns a page of nodes, ordered by id; `after` is the last id of the page before. */
export async function listNodes(
  database: Database,
  { after, limit }: { after: string; limit: number },
  lostTimeoutMs: number,
): Promise<NodeView[]> {
  return database.run((db) =>
    selectNodes(db, lostTimeoutMs)
      .where(after === "" ? undefined : sql`${nodes.id} > ${after}::uuid`)
      .orderBy(nodes.id)
      .limit(limit),
  );
}

async function oneNode(db: Queryable, id: string, lostTimeoutMs: number): Promise<NodeView> {
  const [row] = await selectNodes(db, lostTimeoutMs).where(eq(nodes.id, id));
  if (!row) throw notFound(nameOf(id));
  return row;
}

const nameOf = (id: string) => `nodes/${id}`;

/** Number of a node's tasks for which `condition` holds. */
const tasksWhere = (condition: ReturnType<typeof sql>) =>
  sql<number>`(SELECT count(*)::integer FROM ${tasks} WHERE tasks.node = nodes.id AND ${condition})`;

function selectNodes(db: Queryable, lostTimeoutMs: number) {
  const isGone = sql`${nodes.heartbeatTime} < clock_timestamp() - ${`${lostTimeoutMs} ms`}::interval`;
  return db
    .select({
      id: nodes.id,
      hostName: nodes.hostName,
      address: nodes.address,
      version: nodes.version,
      roles: nodes.roles,
      tags: nodes.tags,
      slots: nodes.slots,
      problem: nodes.problem,
      startTime: nodes.startTime,
      heartbeatTime: nodes.heartbeatTime,
      stopTime: nodes.stopTime,
      state: sql<NodeState>`CASE
        WHEN NOT ${isAlive} AND ${isGone} THEN 'LOST'
        WHEN NOT ${isAlive} THEN 'AWAY'
        WHEN ${nodes.problem} <> '' THEN 'UNWELL'
        WHEN ${nodes.draining} THEN 'DRAINING'
        ELSE 'READY' END`,
      usedSlots: tasksWhere(isInStatus(["STARTING", "RUNNING", "REJECTED", "STOPPING"])),
      waitingPlans: tasksWhere(isInStatus(["WAITING_CONFIRMATION", "CONFIRMED"])),
      lostTasks: tasksWhere(sql`${tasks.mayStillRun}`),
    })
    .from(nodes);
}

/** Sets whether a node may start tasks. @throws Failure not_found. */
export async function drainNode(
  database: Database,
  id: string,
  { draining, lostTimeoutMs }: { draining: boolean; lostTimeoutMs: number },
  actor?: Actor,
): Promise<NodeView> {
  return database.run((db) =>
    db.transaction(async (tx) => {
      await tx.update(nodes).set({ draining }).where(eq(nodes.id, id));
      const node = await oneNode(tx, id, lostTimeoutMs);
      await recordChanges(tx, actor, [{ resource: nameOf(id) }]);
      return node;
    }),
  );
}

/**
 * Removes a node that will not come back. Its tasks that were not started return to the queue, its other unfinished tasks end
 * as LOST, and its LOST tasks no longer block their templates. Returns the tasks whose status has changed.
 * @throws Failure not_found; precondition if the node gives signs of life.
 */
export async function forgetNode(database: Database, id: string, actor?: Actor): Promise<ChangedTask[]> {
  const message = "The task's server was removed by ForgetNode before the task had ended";
  return database.run((db) =>
    db.transaction(async (tx) => {
      const [node] = await tx
        .select({ alive: sql<boolean>`${isAlive}` })
        .from(nodes)
        .where(eq(nodes.id, id));
      if (!node) throw notFound(nameOf(id));
      if (node.alive) throw stillRuns(id);
      await tx.delete(nodes).where(eq(nodes.id, id));
      const putBack = await backToQueue(tx, eq(tasks.node, id));
      const ended = await transition(tx, {
        to: "ERROR",
        from: ACTIVE,
        where: eq(tasks.node, id),
        set: {
          endReason: "LOST",
          endMessage: message,
          leaseExpires: null,
          leaseEpoch: sql`${tasks.leaseEpoch} + 1`,
        },
        message,
      });
      await release(tx, id, []);
      await recordChanges(tx, actor, [{ resource: nameOf(id) }]);
      return [...putBack, ...ended];
    }),
  );
}

function stillRuns(id: string): Failure {
  return new Failure(
    "precondition",
    `Node ${id} is running. Stop its server first; DrainNode lets its tasks end before`,
    { reason: "NODE_RUNNING", resource: nameOf(id) },
  );
}

/**
 * Records that no process is left of a node's LOST tasks, except those of `left`. Returns the tasks that no longer block their
 * templates.
 */
export async function reportGone(database: Database, id: string, left: readonly string[]): Promise<string[]> {
  return database.run((db) => release(db, id, left));
}

async function release(db: Queryable, id: string, left: readonly string[]): Promise<string[]> {
  const released = await db
    .update(tasks)
    .set({ mayStillRun: false })
    .where(and(eq(tasks.node, id), sql`${tasks.mayStillRun}`, sql`NOT ${isOneOf(tasks.id, left)}`))
    .returning({ id: tasks.id });
  return released.map((task) => task.id);
}

/** Deletes nodes that have been away for a month, unless a task names the node, or a caller has drained it. */
export async function forgetOldNodes(database: Database): Promise<void> {
  await database.run((db) =>
    db
      .delete(nodes)
      .where(sql`NOT ${nodes.draining} AND ${nodes.heartbeatTime} < clock_timestamp() - interval '30 days'
      AND NOT EXISTS (SELECT FROM ${tasks} WHERE ${tasks.node} = ${nodes.id} AND (${isInStatus(ACTIVE)} OR ${tasks.mayStillRun}))`),
  );
}
