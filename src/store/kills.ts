import { eq, sql } from "drizzle-orm";
import { defaultGraceMs } from "../task/apps.ts";
import { isFinal, type Status } from "../task/status.ts";
import type { TaskRecord } from "../task/types.ts";
import type { Database, Queryable } from "./database.ts";
import { move } from "./moves.ts";
import { tasks } from "./schema/tasks.ts";
import { oneTask, type TaskView } from "./tasks.ts";

export type KillOutcome = "KILLED_BEFORE_START" | "KILL_REQUESTED" | "ALREADY_STOPPING" | "ALREADY_FINAL";

export interface KillWish {
  force: boolean;
  /** Milliseconds from the polite signal to SIGKILL; undefined: as many as the task's app needs. */
  graceMs?: number | undefined;
  /** For people. */
  reason: string;
}

/** Nothing of it runs: it can be STOPPED at once. */
const IDLE: readonly Status[] = ["WAITING", "WAITING_CONFIRMATION"];

/** Records the wish that a task ends, under the task's row lock. Its owner, if it has one, learns of it by itself. */
export async function requestKill(
  database: Database,
  task: { project: string; id: string },
  wish: KillWish,
): Promise<{ task: TaskView; outcome: KillOutcome }> {
  const name = `projects/${task.project}/tasks/${task.id}`;
  const where = sql`${tasks.id} = ${task.id} AND ${tasks.project} = ${task.project}`;
  return database.run((db) =>
    db.transaction(async (tx) => {
      const [row] = await tx
        .select({ status: tasks.status, app: tasks.app })
        .from(tasks)
        .where(where)
        .for("update");
      const outcome = row ? await record(tx, task.id, row, wish) : "ALREADY_FINAL";
      return { task: await oneTask(tx, where, name), outcome };
    }),
  );
}

type Target = Pick<TaskRecord, "status" | "app">;

async function record(db: Queryable, id: string, target: Target, wish: KillWish): Promise<KillOutcome> {
  const { status, app } = target;
  if (isFinal(status)) return "ALREADY_FINAL";
  const where = eq(tasks.id, id);
  const set = columnsOf(wish, app);
  if (status === "STOPPING") {
    await db.update(tasks).set({ killForce: set.killForce, killDeadline: set.killDeadline }).where(where);
    return "ALREADY_STOPPING";
  }
  const message = wish.reason || "Stopped by KillTask";
  if (!IDLE.includes(status)) {
    await move(db, { to: "STOPPING", where, set, message });
    return "KILL_REQUESTED";
  }
  const end = { endReason: "STOPPED_BY_USER", endMessage: message, leaseExpires: null } as const;
  await move(db, { to: "STOPPED", where, set: { ...set, ...end }, message });
  return "KILLED_BEFORE_START";
}

/** A repeated wish may shorten the deadline, never lengthen it, and never takes `force` back. */
function columnsOf(wish: KillWish, app: string) {
  const graceMs = wish.force ? 0 : (wish.graceMs ?? defaultGraceMs(app));
  return {
    killTime: sql`coalesce(${tasks.killTime}, clock_timestamp())`,
    killForce: sql`${tasks.killForce} OR ${wish.force}`,
    killDeadline: sql`least(${tasks.killDeadline}, clock_timestamp() + ${`${graceMs} ms`}::interval)`,
    killReason: wish.reason,
  };
}
