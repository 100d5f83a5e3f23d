import { and, asc, eq, gt, isNotNull, or, sql } from "drizzle-orm";
import type { Database } from "../postgres/database.ts";
import { accessKeys, environments } from "../schema/resources.ts";
import { tasks } from "../schema/tasks.ts";

/** Sealed secrets of a resource or a task. `name` is the resource's name, or the task's id. */
export interface Sealed {
  project: string;
  name: string;
  /** For a task: the template that it runs. */
  template?: string;
  secrets: Buffer;
}

export type SealedKind = "accessKeys" | "environments" | "tasks";

const PAGE = 500;

/**
 * Yields all sealed secrets of a kind in pages, in key order, so that concurrent changes neither skip nor repeat one.
 */
export async function* readSealed(database: Database, kind: SealedKind): AsyncGenerator<Sealed[]> {
  for (let after: Sealed | undefined; ; ) {
    const page =
      kind === "tasks" ? await taskPage(database, after) : await resourcePage(database, kind, after);
    if (page.length > 0) yield page;
    if (page.length < PAGE) return;
    after = page.at(-1);
  }
}

async function resourcePage(
  database: Database,
  kind: "accessKeys" | "environments",
  after: Sealed | undefined,
): Promise<Sealed[]> {
  const table = kind === "accessKeys" ? accessKeys : environments;
  const { project = "", name = "" } = after ?? {};
  const behind = or(gt(table.project, project), and(eq(table.project, project), gt(table.name, name)));
  const rows = await database.run((db) =>
    db
      .select({ project: table.project, name: table.name, secrets: table.secrets })
      .from(table)
      .where(and(isNotNull(table.secrets), behind))
      .orderBy(asc(table.project), asc(table.name))
      .limit(PAGE),
  );
  return rows.map((row) => ({ ...row, secrets: row.secrets ?? Buffer.alloc(0) }));
}

async function taskPage(database: Database, after: Sealed | undefined): Promise<Sealed[]> {
  const behind = after ? gt(tasks.id, after.name) : undefined;
  const rows = await database.run((db) =>
    db
      .select({ project: tasks.project, name: tasks.id, template: tasks.template, secrets: tasks.secrets })
      .from(tasks)
      .where(and(isNotNull(tasks.secrets), behind))
      .orderBy(asc(tasks.id))
      .limit(PAGE),
  );
  return rows.map((row) => ({ ...row, secrets: row.secrets ?? Buffer.alloc(0) }));
}

/** Replaces sealed secrets if they are still as they were read; false if they were changed or deleted meanwhile. */
export async function replaceSealed(
  database: Database,
  kind: SealedKind,
  { project, name, secrets }: Sealed,
  fresh: Buffer,
): Promise<boolean> {
  const table = { accessKeys, environments, tasks }[kind];
  const key = kind === "tasks" ? sql`id = ${name}` : sql`name = ${name}`;
  const rows = await database.run((db) =>
    db.execute(
      sql`UPDATE ${table} SET secrets = ${fresh} WHERE project = ${project} AND ${key} AND secrets = ${secrets} RETURNING 1`,
    ),
  );
  return rows.length > 0;
}
