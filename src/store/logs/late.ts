import { and, eq, notExists, sql } from "drizzle-orm";
import type { LogHead, TaskRecord } from "../../task/types.ts";
import type { Database } from "../postgres/database.ts";
import { isOneOf } from "../postgres/is-one-of.ts";
import { lateChunks, taskHeads, tasks } from "../schema/tasks.ts";
import type { StoredChunk } from "./logs.ts";

/** A task that was declared LOST while its node was away, with the state of its log. */
export interface LateTask {
  task: TaskRecord;
  head: LogHead;
}

/** Returns those LOST tasks of a node that have no late lines yet. */
export async function readLateTasks(
  database: Database,
  node: string,
  ids: readonly string[],
): Promise<LateTask[]> {
  return database.run((db) =>
    db
      .select({ task: tasks, head: taskHeads })
      .from(tasks)
      .innerJoin(taskHeads, eq(taskHeads.taskId, tasks.id))
      .where(
        and(
          isOneOf(tasks.id, ids),
          eq(tasks.node, node),
          eq(tasks.endReason, "LOST"),
          notExists(
            db.select({ id: lateChunks.taskId }).from(lateChunks).where(eq(lateChunks.taskId, tasks.id)),
          ),
        ),
      ),
  );
}

/** Stores the late lines of a task, all at once. Does nothing if they are stored already, or the task was deleted. */
export async function storeLateChunks(
  database: Database,
  taskId: string,
  chunks: readonly StoredChunk[],
): Promise<void> {
  if (chunks.length === 0) return;
  await database.run((db) =>
    db.transaction(async (tx) => {
      const [task] = await tx.select({ id: tasks.id }).from(tasks).where(eq(tasks.id, taskId)).for("share");
      if (!task) return;
      await tx
        .insert(lateChunks)
        .values(
          chunks.map(({ firstSeq, lastSeq, counts, data }) => ({
            taskId,
            firstSeq,
            lastSeq,
            stdoutLines: counts.stdout,
            stderrLines: counts.stderr,
            systemLines: counts.system,
            data,
          })),
        )
        .onConflictDoNothing();
    }),
  );
}

/** Returns the number of late lines of a task. */
export async function countLateLines(database: Database, taskId: string): Promise<number> {
  const [row] = await database.run((db) =>
    db
      .select({ lines: sql<number>`coalesce(max(${lateChunks.lastSeq}), 0)`.mapWith(Number) })
      .from(lateChunks)
      .where(eq(lateChunks.taskId, taskId)),
  );
  return row?.lines ?? 0;
}
