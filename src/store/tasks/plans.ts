import { and, eq, sql } from "drizzle-orm";
import { Failure, LeaseLost } from "../../task/errors.ts";
import type { Reason } from "../../task/reasons.ts";
import type { Plan, TaskRecord } from "../../task/types.ts";
import { type StoredChunk, storeChunks } from "../logs/logs.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { taskHeads, taskPlans, tasks } from "../schema/tasks.ts";
import { type Lease, move, underLease } from "./moves.ts";
import { oneTask, type TaskView } from "./tasks.ts";

/** A plan and what people read of it, zstd-compressed. */
export interface StoredPlan {
  plan: Plan;
  text: Buffer;
}

/**
 * RUNNING → WAITING_CONFIRMATION, with the last lines of the first program: nobody runs the task then, but `node` keeps
 * its workspace. The raw offsets begin anew with the second program's output. Resolves to false if somebody asked for
 * its end meanwhile; the lines are stored all the same.
 * @throws LeaseLost if the epoch moved on.
 */
export async function park(
  database: Database,
  task: Lease & Pick<TaskRecord, "spec">,
  { plan, text }: StoredPlan,
  last: StoredChunk | undefined,
): Promise<boolean> {
  const wait = task.spec.confirmTimeoutMs;
  return database.run((db) =>
    db.transaction(async (tx) => {
      const [row] = await tx.select({ plan: tasks.plan }).from(tasks).where(underLease(task)).for("update");
      if (!row) throw new LeaseLost(task.id);
      // A repeat after a doubtful commit; somebody may even have decided by now.
      if (row.plan?.digest === plan.digest) return true;
      if (last) await storeChunks(tx, task, [last]);
      const confirmDeadline = wait === undefined ? null : sql`clock_timestamp() + ${`${wait} ms`}::interval`;
      const set = { plan, confirmDeadline, leaseExpires: null, runDeadline: null };
      const message = summaryOf(plan);
      const [parked] = await move(tx, { to: "WAITING_CONFIRMATION", where: underLease(task), set, message });
      if (!parked) return false;
      const atBegin = { stdoutOffset: 0, stderrOffset: 0 };
      await tx.update(taskHeads).set(atBegin).where(eq(taskHeads.taskId, task.id));
      await tx.insert(taskPlans).values({ taskId: task.id, text });
      return true;
    }),
  );
}

function summaryOf({ add, change, destroy }: Plan): string {
  return `A plan waits for confirmation: ${add} to add, ${change} to change, ${destroy} to destroy`;
}

interface TaskKey {
  project: string;
  id: string;
}

/**
 * WAITING_CONFIRMATION → CONFIRMED: the node that has the workspace takes the task up again, under a lease that is over
 * at once, and has `lost_timeout` for it.
 * @throws Failure precondition NOT_WAITING_FOR_CONFIRMATION or PLAN_CHANGED
 */
export async function confirmPlan(
  database: Database,
  task: TaskKey,
  digest: string,
  by: string,
): Promise<TaskView> {
  return decide(database, task, async (tx, where, { plan }) => {
    if (plan?.digest !== digest) {
      throw refused(task, "PLAN_CHANGED", `its plan has the digest ${plan?.digest}, not ${digest}`);
    }
    const set = { leaseExpires: sql`clock_timestamp()`, decidedBy: by };
    await move(tx, { to: "CONFIRMED", where, set, by });
  });
}

/**
 * WAITING_CONFIRMATION → REJECTED → ERROR, at once, since nothing of it runs. Its node removes the workspace.
 * @throws Failure precondition NOT_WAITING_FOR_CONFIRMATION
 */
export async function rejectPlan(
  database: Database,
  task: TaskKey,
  reason: string,
  by: string,
): Promise<TaskView> {
  const message = reason ? `Its plan was rejected: ${reason}` : "Its plan was rejected";
  return decide(database, task, async (tx, where) => {
    const rejected = { leaseExpires: sql`clock_timestamp()`, decidedBy: by };
    await move(tx, { to: "REJECTED", where, set: rejected, message: reason, by });
    const end = { endReason: "REJECTED", endMessage: message, leaseExpires: null } as const;
    await move(tx, { to: "ERROR", where, set: end, message, by });
  });
}

type Decision = (tx: Queryable, where: ReturnType<typeof eq>, row: Pick<TaskRecord, "plan">) => Promise<void>;

/** Under the task's row lock: of two decisions at the same moment one finds the other's. */
async function decide(database: Database, task: TaskKey, decision: Decision): Promise<TaskView> {
  const where = eq(tasks.id, task.id);
  return database.run((db) =>
    db.transaction(async (tx) => {
      const [row] = await tx
        .select({ status: tasks.status, plan: tasks.plan })
        .from(tasks)
        .where(and(where, eq(tasks.project, task.project)))
        .for("update");
      if (row && row.status !== "WAITING_CONFIRMATION") {
        throw refused(task, "NOT_WAITING_FOR_CONFIRMATION", `it is ${row.status}, and no plan of it waits`);
      }
      if (row) await decision(tx, where, row);
      return oneTask(tx, and(where, eq(tasks.project, task.project)), nameOf(task));
    }),
  );
}

const nameOf = ({ project, id }: TaskKey) => `projects/${project}/tasks/${id}`;

function refused(task: TaskKey, reason: Reason, why: string): Failure {
  return new Failure("precondition", `Cannot decide on ${nameOf(task)}: ${why}`, {
    reason,
    resource: nameOf(task),
  });
}

/** Undefined: it has none. */
export async function readPlanText(database: Database, id: string): Promise<Buffer | undefined> {
  const [row] = await database.run((db) => db.select().from(taskPlans).where(eq(taskPlans.taskId, id)));
  return row?.text;
}
