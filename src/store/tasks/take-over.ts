import { and, eq, inArray, ne, notInArray, type SQL, sql } from "drizzle-orm";
import { OWNED } from "../../task/status.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { isInStatus } from "../postgres/is-one-of.ts";
import { tasks } from "../schema/tasks.ts";
import { backToQueue, expired, LEASE_SECONDS, LOCAL, take } from "./leases.ts";
import type { Lease, Moved } from "./moves.ts";

/** What a node takes over, under a new epoch, and what it puts back instead because it was not started yet. */
export interface TakeOver {
  putBack: Moved[];
  adopted: Lease[];
}

/**
 * Takes over what this node owned before it was started anew, whatever the lease says: its data folder's lock
 * proves that nobody else runs it.
 */
export async function adopt(
  database: Database,
  node: string,
  executors: readonly string[] = [LOCAL],
): Promise<TakeOver> {
  return takeOver(database, node, isOf(executors));
}

/**
 * The same for a node that is up, with what expired though it is not among those that it runs: it was claimed, but
 * the answer was lost; or its run failed.
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

/** A confirmed plan is taken up by `resume`, when there is a slot for it. */
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

/** Makes tasks a node's, under a new epoch. */
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
 * Takes over what other nodes ran on executors that every node can reach, once their leases have been over for as long as
 * a lease lasts: that of a confirmed plan is never longer ahead than its node's last sign of life.
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
