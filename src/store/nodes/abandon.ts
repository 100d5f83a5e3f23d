import { and, eq, type SQL, sql } from "drizzle-orm";
import type { Actor } from "../../task/caller.ts";
import { Failure, notFound } from "../../task/errors.ts";
import { isFinal, OWNED } from "../../task/status.ts";
import type { TaskRecord } from "../../task/types.ts";
import { recordChanges } from "../audit.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { isInStatus, isOneOf } from "../postgres/is-one-of.ts";
import { nodes } from "../schema/nodes.ts";
import { tasks } from "../schema/tasks.ts";
import { oneTask, type TaskView } from "../tasks/tasks.ts";
import { transition } from "../tasks/transitions.ts";
import { isAlive } from "./nodes.ts";

/** Condition that the server of a task gives signs of life. One of an older release writes no row, and shows it by its leases. */
const isServed = sql`coalesce(
  (SELECT ${isAlive} FROM ${nodes} WHERE ${nodes.id} = ${tasks.node}),
  ${tasks.leaseExpires} > clock_timestamp(),
  false)`;

/** Returns the nodes that are away, by the ids of those of the tasks that they own. */
export async function awayNodes(db: Queryable, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .select({ id: tasks.id, node: tasks.node })
    .from(tasks)
    .where(and(isOneOf(tasks.id, ids), isInStatus(OWNED), sql`NOT ${isServed}`));
  return new Map(rows.flatMap(({ id, node }) => (node ? [[id, node] as const] : [])));
}

export interface Abandonment {
  /** Reason, as the caller gave it; empty: none. */
  reason: string;
  /** Name of the caller. */
  by: string;
  /** Absent: no audit event is stored. */
  actor?: Actor;
}

/**
 * Ends a task whose node is away as LOST, under a new epoch, and lets its template start tasks again. Returns whether that
 * changed anything: a task that has ended and blocks nothing stays as it is.
 * @throws Failure not_found; precondition if the node is alive, or if no program of the task was started.
 */
export async function abandonTask(
  database: Database,
  { project, id }: { project: string; id: string },
  { reason, by, actor }: Abandonment,
): Promise<{ task: TaskView; abandoned: boolean }> {
  const name = `projects/${project}/tasks/${id}`;
  const where = and(eq(tasks.id, id), eq(tasks.project, project));
  return database.run((db) =>
    db.transaction(async (tx) => {
      const found = await lock(tx, where);
      if (!found) throw notFound(name);
      const abandoned = !isFinal(found.status) || found.mayStillRun;
      if (abandoned) {
        assertAway(found, name);
        await end(tx, found, where, { reason, by });
        await recordChanges(tx, actor, [{ resource: name, template: found.template }]);
      }
      return { task: await oneTask(tx, where, name), abandoned };
    }),
  );
}

type Found = Pick<TaskRecord, "status" | "mayStillRun" | "template" | "node"> & { isServed: boolean };

async function lock(tx: Queryable, where: SQL | undefined): Promise<Found | undefined> {
  const { status, mayStillRun, template, node } = tasks;
  const [found] = await tx
    .select({ status, mayStillRun, template, node, isServed: sql<boolean>`${isServed}` })
    .from(tasks)
    .where(where)
    .for("update");
  return found;
}

function assertAway({ status, node, isServed }: Found, name: string): void {
  const why =
    status === "WAITING" || status === "WAITING_CONFIRMATION"
      ? `it is ${status}, so no program of it runs`
      : isServed && `its server, node ${node}, is running`;
  if (why)
    throw new Failure("precondition", `Cannot abandon ${name}: ${why}. Kill it by KillTask`, {
      reason: "TASK_NOT_AWAY",
      resource: name,
    });
}

async function end(
  tx: Queryable,
  { status }: Found,
  where: SQL | undefined,
  { reason, by }: Pick<Abandonment, "reason" | "by">,
): Promise<void> {
  if (isFinal(status)) {
    await tx.update(tasks).set({ mayStillRun: false }).where(where);
    return;
  }
  const message = `Abandoned while its server was away${reason ? `: ${reason}` : ""}`;
  await transition(tx, {
    to: "ERROR",
    from: OWNED,
    where,
    set: {
      endReason: "LOST",
      endMessage: message,
      leaseExpires: null,
      leaseEpoch: sql`${tasks.leaseEpoch} + 1`,
    },
    message,
    by,
  });
}
