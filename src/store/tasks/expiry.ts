import { and, inArray, isNull, ne, sql } from "drizzle-orm";
import { OWNED } from "../../task/status.ts";
import type { Database } from "../postgres/database.ts";
import { tasks } from "../schema/tasks.ts";
import { LOCAL } from "./leases.ts";
import { type Moved, move } from "./moves.ts";

/** Ends what ran on a server that has been away for too long, if only that server can reach what `executors` ran there. */
export async function declareLost(
  database: Database,
  node: string,
  timeoutMs: number,
  executors: readonly string[] = [LOCAL],
): Promise<Moved[]> {
  const message = "Its server has been away for too long; whether the program still runs there is not known";
  return database.run((db) =>
    move(db, {
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
      },
      message,
    }),
  );
}

/** Ends what has waited longer than it may. */
export async function expireQueue(database: Database): Promise<Moved[]> {
  const message = "It waited longer than its queue_timeout";
  return database.run((db) =>
    move(db, {
      to: "ERROR",
      from: ["WAITING"],
      where: and(isNull(tasks.endTime), sql`${tasks.queueDeadline} < clock_timestamp()`),
      set: { endReason: "QUEUE_TIMEOUT", endMessage: message },
      message,
    }),
  );
}

/** Ends plans that nobody has decided on in time. */
export async function expirePlans(database: Database): Promise<Moved[]> {
  const message = "Nobody confirmed or rejected its plan within its confirm_timeout";
  return database.run((db) =>
    move(db, {
      to: "ERROR",
      from: ["WAITING_CONFIRMATION"],
      where: sql`${tasks.status} = 'WAITING_CONFIRMATION' AND ${tasks.confirmDeadline} < clock_timestamp()`,
      set: { endReason: "CONFIRM_TIMEOUT", endMessage: message },
      message,
    }),
  );
}
