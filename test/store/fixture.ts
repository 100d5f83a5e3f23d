import { randomUUID } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { eq } from "drizzle-orm";
import postgres from "postgres";
import { socketOptions } from "../../src/embedded/socket-url.ts";
import { compress } from "../../src/logs/compress.ts";
import { changeProject } from "../../src/store/catalog/catalog.ts";
import type { AnyKind } from "../../src/store/catalog/kinds.ts";
import type { StoredChunk } from "../../src/store/logs/logs.ts";
import { type Database, openDatabase } from "../../src/store/postgres/database.ts";
import { tasks } from "../../src/store/schema/tasks.ts";
import { createTask, type NewTask } from "../../src/store/tasks/tasks.ts";
import type { Lease } from "../../src/store/tasks/transitions.ts";
import type { Status } from "../../src/task/status.ts";
import type { TaskRecord } from "../../src/task/types.ts";
import { testDatabase } from "../support/database.ts";

export const [NODE, OTHER_NODE] = [randomUUID(), randomUUID()];

export interface TestStore extends AsyncDisposable {
  readonly url: string;
  readonly database: Database;
  /** Runs any SQL, on a separate connection. */
  readonly sql: postgres.Sql;
  /** Creates project `p`, or another one, with these templates; those that end in `*` allow parallel tasks. */
  makeProject(templates: string[], options?: { name?: string; limit?: number }): Promise<void>;
  /** Creates a waiting task. Resolves to its id. */
  makeTask(template: string, more?: Partial<NewTask>): Promise<string>;
  /** Creates a task and writes a status into its row, owned by NODE under epoch 1 or as `columns` say. */
  makeTaskIn(status: Status, columns?: Record<string, unknown>): Promise<Lease>;
  row(id: string): Promise<TaskRecord & { leaseExpires: Date | null }>;
  /** Resolves to the statuses of a task's events, in order. */
  events(id: string): Promise<string[]>;
}

export async function openStore(): Promise<TestStore> {
  const { url, drop } = await testDatabase();
  const database = openDatabase({ url, max: 8, name: "test", deadlineMs: 15_000 });
  const sql = postgres(url, { ...socketOptions(url), max: 4, onnotice() {} });

  async function makeTask(template: string, more: Partial<NewTask> = {}): Promise<string> {
    const { task } = await createTask(database, newTask(template, more));
    return task.id;
  }

  return {
    url,
    database,
    sql,
    makeTask,
    async makeProject(templates, { name = "p", limit = 0 } = {}) {
      const put = (kind: AnyKind, one: string, spec: JsonObject) => ({
        kind,
        name: one,
        spec,
        secrets: null,
      });
      const specs = templates.map((template) =>
        put("templates", template.replace("*", ""), { allowParallelTasks: template.endsWith("*") }),
      );
      const project = put("projects", name, { maxParallelTasks: limit });
      const writes = { put: [project, ...specs], remove: [], isRehearsal: false };
      await changeProject(database, name, [], () => writes);
    },
    async makeTaskIn(status, columns = {}) {
      const id = await makeTask("t");
      const isFinal = ["STOPPED", "SUCCESS", "ERROR"].includes(status);
      const end = isFinal ? { end_time: new Date(), end_reason: status === "SUCCESS" ? null : "LOST" } : {};
      const set = {
        status,
        node: NODE,
        lease_epoch: 1,
        lease_expires: new Date(Date.now() + 30_000),
        ...end,
        ...columns,
      };
      await sql`UPDATE tasks SET ${sql(set)} WHERE id = ${id}`;
      await sql`UPDATE task_heads h SET lease_epoch = t.lease_epoch FROM tasks t WHERE t.id = task_id AND t.id = ${id}`;
      return { id, leaseEpoch: 1 };
    },
    async row(id) {
      const [row] = await database.run((db) => db.select().from(tasks).where(eq(tasks.id, id)));
      if (!row) throw new Error(`There is no task ${id}`);
      return row;
    },
    async events(id) {
      const rows = await sql`SELECT status FROM task_events WHERE task_id = ${id} ORDER BY ordinal`;
      return rows.map(({ status }) => String(status));
    },
    async [Symbol.asyncDispose]() {
      await sql.end();
      await database.close();
      await drop();
    },
  };
}

export function newTask(template: string, more: Partial<NewTask> = {}): NewTask {
  const spec = {
    message: "",
    variables: {},
    secretNames: [],
    env: {},
    arguments: [],
    gitBranch: "",
    commit: "",
  };
  return {
    project: "p",
    template,
    app: "bash",
    priority: 50,
    labels: {},
    secrets: null,
    createdBy: "ada",
    ...more,
    spec: { ...spec, ...more.spec },
  };
}

/** Returns a chunk without readable lines, since the store does not read them. */
export function chunk(firstSeq: number, lastSeq: number, more: Partial<StoredChunk> = {}): StoredChunk {
  const counts = { stdout: lastSeq - firstSeq + 1, stderr: 0, system: 0 };
  return {
    firstSeq,
    lastSeq,
    counts,
    offsets: { stdout: lastSeq * 10, stderr: 0 },
    data: compress(Buffer.from("x")),
    ...more,
  };
}
