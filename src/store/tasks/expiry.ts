import { and, inArray, isNull, ne, sql } from "drizzle-orm";
import { OWNED } from "../../task/status.ts";
import type { Database } from "../postgres/database.ts";
import { tasks } from "../schema/tasks.ts";
import { LOCAL } from "./leases.ts";
import { type ChangedTask, transition } from "./transitions.ts";

/**
 * Ends the tasks of other nodes whose lease has expired `timeoutMs` milliseconds ago as LOST. `executors`: those whose
 * programs only their own node can reach.
 */
export async function declareLost(
  database: Database,
  node: string,
  timeoutMs: number,
  executors: readonly string[] = [LOCAL],
): Promise<ChangedTask[]> {
  const message =
    "The task's server has been away for longer than its lost timeout; the program may still be running there. A template without parallel tasks starts none until that server is back, or until `signalman kill --abandon` or `signalman nodes forget` frees it";
  return database.run((db) =>
    transition(db, {
      to: "ERROR",
      from: OWNED,
      where: and(
        ne(tasks.node, node),
        inArray(tasks.executor, [...executors]),
        sql`${tasks.leaseExpires} < clock_timestamp() - ${`${timeoutMs} ms`}::interval`,
      ),
      set: {
        endReason: "LOST",
        endMessage: message,
        leaseExpires: null,
        leaseEpoch: sql`${tasks.leaseEpoch} + 1`,
        mayStillRun: true,
      },
      message,
    }),
  );
}

/** Ends waiting tasks whose queue deadline has passed as QUEUE_TIMEOUT. */
export async function expireQueue(database: Database): Promise<ChangedTask[]> {
  const message = "The task waited longer than its queue_timeout";
  return database.run((db) =>
    transition(db, {
      to: "ERROR",
      from: ["WAITING"],
      where: and(isNull(tasks.endTime), sql`${tasks.queueDeadline} < clock_timestamp()`),
      set: { endReason: "QUEUE_TIMEOUT", endMessage: message },
      message,
    }),
  );
}

/** Ends tasks with reason CONFIRM_TIMEOUT if the confirm deadline of their plan has passed. */
export async function expirePlans(database: Database): Promise<ChangedTask[]> {
  const message = "The plan was neither confirmed nor rejected within the confirm_timeout";
  return database.run((db) =>
    transition(db, {
      to: "ERROR",
      from: ["WAITING_CONFIRMATION"],
      where: sql`${tasks.status} = 'WAITING_CONFIRMATION' AND ${tasks.confirmDeadline} < clock_timestamp()`,
      set: { endReason: "CONFIRM_TIMEOUT", endMessage: message },
      message,
    }),
  );
}
