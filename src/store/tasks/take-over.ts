import { and, eq, inArray, ne, notInArray, type SQL, sql } from "drizzle-orm";
import { OWNED } from "../../task/status.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { isInStatus } from "../postgres/is-one-of.ts";
import { tasks } from "../schema/tasks.ts";
import { backToQueue, expired, LEASE_SECONDS, LOCAL, take } from "./leases.ts";
import type { ChangedTask, Lease } from "./transitions.ts";

/** Tasks that a node takes over under a new epoch, and tasks that it puts back because they were not started yet. */
export interface TakeOver {
  putBack: ChangedTask[];
  adopted: Lease[];
}

/**
 * Takes over the tasks that this node owned before it was restarted, even if their lease has not expired: the lock of
 * the data folder proves that no other server runs this node.
 */
export async function adopt(
  database: Database,
  node: string,
  executors: readonly string[] = [LOCAL],
): Promise<TakeOver> {
  return takeOver(database, node, isOf(executors));
}

/**
 * Takes over the tasks of this node that have an expired lease and are not among `running`: the answer to their claim
 * was lost, or their run failed.
 */
export async function readopt(
  database: Database,
  node: string,
  running: readonly string[],
  executors: readonly string[] = [LOCAL],
): Promise<TakeOver> {
  return takeOver(database, node, and(isOf(executors), expired, notInArray(tasks.id, [...running])));
}

const isOf = (executors: readonly string[]) => inArray(tasks.executor, [...executors]);

/** Statuses of tasks that are taken over. Confirmed plans are left to `resume`, which needs a free slot. */
const TAKEN_OVER = OWNED.filter((status) => status !== "CONFIRMED");

async function takeOver(database: Database, node: string, which: SQL | undefined): Promise<TakeOver> {
  return database.run((db) =>
    db.transaction(async (tx) => {
      const where = and(eq(tasks.node, node), which);
      const putBack = await backToQueue(tx, where);
      return { putBack, adopted: await takeAll(tx, node, and(where, isInStatus(TAKEN_OVER))) };
    }),
  );
}

/** Makes a node the owner of tasks, under a new epoch. */
export function takeAll(db: Queryable, node: string, where: SQL | undefined): Promise<Lease[]> {
  const taking = db
    .update(tasks)
    .set(take(node))
    .where(where)
    .returning({ id: tasks.id, leaseEpoch: tasks.leaseEpoch });
  return db.execute<Lease & Record<string, unknown>>(sql`
    WITH taken AS ${taking}
    UPDATE task_heads h SET lease_epoch = taken.lease_epoch FROM taken WHERE h.task_id = taken.id
    RETURNING h.task_id AS id, h.lease_epoch AS "leaseEpoch"`);
}

/**
 * Takes over the started tasks of other nodes on executors that every node can reach. Their leases must have expired
 * one lease time ago, since the lease of a confirmed plan ends at each sign of life of its node.
 */
export async function inherit(
  database: Database,
  node: string,
  executors: readonly string[],
): Promise<Lease[]> {
  if (executors.length === 0) return [];
  const isAway = sql`${tasks.leaseExpires} < clock_timestamp() - ${`${LEASE_SECONDS} s`}::interval`;
  const started = OWNED.filter((status) => status !== "STARTING");
  return database.run((db) =>
    takeAll(db, node, and(ne(tasks.node, node), isOf(executors), isInStatus(started), isAway)),
  );
}
