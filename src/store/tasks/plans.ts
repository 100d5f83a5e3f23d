import { and, eq, sql } from "drizzle-orm";
import type { Actor } from "../../task/caller.ts";
import { Failure, LeaseLostError } from "../../task/errors.ts";
import type { Reason } from "../../task/reasons.ts";
import type { Plan, TaskRecord } from "../../task/types.ts";
import { recordChanges } from "../audit.ts";
import { type StoredChunk, storeChunks } from "../logs/logs.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { taskHeads, taskPlans, tasks } from "../schema/tasks.ts";
import { oneTask, type TaskView } from "./tasks.ts";
import { type Lease, transition, underLease } from "./transitions.ts";

/** A plan and its readable text, zstd-compressed. */
export interface StoredPlan {
  plan: Plan;
  text: Buffer;
}

/**
 * Changes a task from RUNNING to WAITING_CONFIRMATION, with the last lines of the first program. The task then has no
 * lease, but `node` keeps its workspace. The raw offsets return to 0 for the second program's output. Resolves to false
 * if the task was killed meanwhile; the lines are stored nevertheless.
 * @throws LeaseLostError if the task has another epoch.
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
      if (!row) throw new LeaseLostError(task.id);
      // An earlier attempt, whose result was unknown, was committed; the plan may even have been decided on since.
      if (row.plan?.digest === plan.digest) return true;
      if (last) await storeChunks(tx, task, [last]);
      const confirmDeadline = wait === undefined ? null : sql`clock_timestamp() + ${`${wait} ms`}::interval`;
      const set = { plan, confirmDeadline, leaseExpires: null, runDeadline: null };
      const message = summaryOf(plan);
      const [parked] = await transition(tx, {
        to: "WAITING_CONFIRMATION",
        where: underLease(task),
        set,
        message,
      });
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
 * Changes a task from WAITING_CONFIRMATION to CONFIRMED. The node that has the workspace takes the task up again. Its
 * lease expires at once, so that the task ends as LOST if that node is away for longer than `lost_timeout`.
 * @throws Failure precondition with the reason NOT_WAITING_FOR_CONFIRMATION or PLAN_CHANGED.
 */
export async function confirmPlan(
  database: Database,
  task: TaskKey,
  digest: string,
  by: string,
  actor?: Actor,
): Promise<TaskView> {
  return decide(database, task, actor, async (tx, where, { plan, createdBy, byOther }) => {
    if (byOther && createdBy === by) {
      throw new Failure(
        "denied",
        `Cannot confirm ${nameOf(task)}: ${by} ran it, and its template has confirm_by_other; another caller has to confirm it`,
        { reason: "CONFIRM_BY_OTHER", resource: nameOf(task) },
      );
    }
    if (plan?.digest !== digest) {
      throw refused(
        task,
        "PLAN_CHANGED",
        `its plan has the digest ${plan?.digest}, not ${digest}; read the plan again`,
      );
    }
    const set = { leaseExpires: sql`clock_timestamp()`, decidedBy: by };
    await transition(tx, { to: "CONFIRMED", where, set, by });
  });
}

/**
 * Changes a task from WAITING_CONFIRMATION to REJECTED and to ERROR, in one transaction, since no process of it runs. Its
 * node removes the workspace later.
 * @throws Failure precondition with the reason NOT_WAITING_FOR_CONFIRMATION.
 */
export async function rejectPlan(
  database: Database,
  task: TaskKey,
  reason: string,
  by: string,
  actor?: Actor,
): Promise<TaskView> {
  const message = reason ? `Its plan was rejected: ${reason}` : "Its plan was rejected";
  return decide(database, task, actor, async (tx, where) => {
    const rejected = { leaseExpires: sql`clock_timestamp()`, decidedBy: by };
    await transition(tx, { to: "REJECTED", where, set: rejected, message: reason, by });
    const end = { endReason: "REJECTED", endMessage: message, leaseExpires: null } as const;
    await transition(tx, { to: "ERROR", where, set: end, message, by });
  });
}

type Decision = (tx: Queryable, where: ReturnType<typeof eq>, row: Parked) => Promise<void>;

/** Facts on which a decision depends. `byOther`: confirm_by_other is set in the template, or was when the task was created. */
interface Parked extends Pick<TaskRecord, "plan" | "createdBy" | "template"> {
  byOther: boolean;
}

const byOther = sql<boolean>`(
  ${tasks.spec} @> '{"confirmByOther": true}' OR EXISTS (
    SELECT FROM templates t WHERE t.project = ${tasks.project} AND t.name = ${tasks.template}
      AND t.spec @> '{"confirmByOther": true}'))`;

/** Makes a decision under the task's row lock, so that of two concurrent decisions the second one sees the first. */
async function decide(
  database: Database,
  task: TaskKey,
  actor: Actor | undefined,
  decision: Decision,
): Promise<TaskView> {
  const where = eq(tasks.id, task.id);
  return database.run((db) =>
    db.transaction(async (tx) => {
      const [row] = await tx
        .select({
          status: tasks.status,
          plan: tasks.plan,
          createdBy: tasks.createdBy,
          template: tasks.template,
          byOther,
        })
        .from(tasks)
        .where(and(where, eq(tasks.project, task.project)))
        .for("update");
      if (row && row.status !== "WAITING_CONFIRMATION") {
        throw refused(
          task,
          "NOT_WAITING_FOR_CONFIRMATION",
          `it is ${row.status}, and only a task in WAITING_CONFIRMATION can be confirmed or rejected`,
        );
      }
      if (row) await decision(tx, where, row);
      if (row) await recordChanges(tx, actor, [{ resource: nameOf(task), template: row.template }]);
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

/** Returns the compressed text of a task's plan; undefined: it has none. */
export async function readPlanText(database: Database, id: string): Promise<Buffer | undefined> {
  const [row] = await database.run((db) => db.select().from(taskPlans).where(eq(taskPlans.taskId, id)));
  return row?.text;
}
