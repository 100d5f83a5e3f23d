import type { JsonObject } from "@bufbuild/protobuf";
import { and, eq, sql } from "drizzle-orm";
import { notFound } from "../../task/errors.ts";
import type { Database } from "../postgres/database.ts";
import { storableJson } from "../postgres/storable.ts";
import { taskResults, tasks } from "../schema/tasks.ts";
import type { Lease } from "./transitions.ts";

/** Stores the proto3 JSON of a TaskResult; replaces an earlier one. Does nothing if the task has another epoch. */
export async function storeResult(database: Database, lease: Lease, result: JsonObject): Promise<void> {
  await database.run((db) =>
    db.execute(sql`
      INSERT INTO task_results (task_id, result)
      SELECT id, ${storableJson(result)}::text::jsonb FROM tasks
      WHERE id = ${lease.id} AND lease_epoch = ${lease.leaseEpoch}
      ON CONFLICT (task_id) DO UPDATE SET result = excluded.result`),
  );
}

/** Returns the result of a task; null: it reported none. @throws Failure not_found if the task does not exist. */
export async function readResult(
  database: Database,
  project: string,
  id: string,
): Promise<JsonObject | null> {
  const [row] = await database.run((db) =>
    db
      .select({ result: taskResults.result })
      .from(tasks)
      .leftJoin(taskResults, eq(taskResults.taskId, tasks.id))
      .where(and(eq(tasks.project, project), eq(tasks.id, id))),
  );
  if (!row) throw notFound(`projects/${project}/tasks/${id}`);
  return row.result;
}
