import { randomUUID } from "node:crypto";
import type postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { applyDemo, runDemo } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { collect, watch } from "../../watch/events.ts";
import { openSql, refusal } from "../support.ts";

let service: TestService;
let sql: postgres.Sql;
beforeAll(async () => {
  service = await startService();
  sql = openSql(service);
  await applyDemo(service, { lines: "seq 1 20000; exit 3", hangs: "echo ready; sleep 1000" });
});
afterAll(async () => {
  await sql.end();
  await service[Symbol.asyncDispose]();
});

const tasks = () => service.client(TaskService);
const ended = async (requestId = "") => {
  const { name } = await runDemo(service, "lines", { requestId });
  await collect(service, { name });
  const id = name.split("/").at(-1) ?? "";
  await sql`INSERT INTO task_plans VALUES (${id}, 'x')`;
  await sql`INSERT INTO task_results VALUES (${id}, '{}')`;
  return { name, id };
};

/** Returns the number of rows of a task in every table that has a column for tasks. */
async function traces(id: string): Promise<Record<string, number>> {
  const columns = await sql`
    SELECT table_name AS name, column_name AS column FROM information_schema.columns
    JOIN pg_class ON relname = table_name AND NOT relispartition
    WHERE table_schema = 'public' AND (column_name = 'task_id' OR (table_name = 'tasks' AND column_name = 'id'))`;
  const counts = columns.map(async ({ name, column }) => {
    const [row] = await sql`SELECT count(*)::integer AS count FROM ${sql(name)} WHERE ${sql(column)} = ${id}`;
    return [String(name), Number(row?.count)] as const;
  });
  return Object.fromEntries((await Promise.all(counts)).filter(([, count]) => count > 0));
}

test("DeleteTask removes the rows of the task from every table, and keeps its request id", async () => {
  const requestId = randomUUID();
  const [one, other] = [await ended(requestId), await ended()];
  const before = await traces(other.id);
  expect(before).toEqual({
    tasks: 1,
    task_heads: 1,
    task_events: 4,
    task_plans: 1,
    task_results: 1,
    log_chunks: expect.any(Number),
  });
  await tasks().deleteTask({ name: one.name });
  expect(await traces(one.id)).toEqual({ task_requests: 1 });
  expect(await traces(other.id)).toEqual(before);
  const gone = { code: "NotFound", reason: "RESOURCE_NOT_FOUND" };
  const { name } = one;
  expect(await refusal(tasks().getTask({ name }))).toMatchObject(gone);
  expect(await refusal(tasks().deleteTask({ name }))).toMatchObject(gone);
  expect(await refusal(tasks().watchTask({ name }))).toMatchObject(gone);
  expect(await refusal(tasks().readTaskLog({ name }))).toMatchObject(gone);
  expect(await refusal(runDemo(service, "lines", { requestId }))).toMatchObject(gone);
});

test("DeleteTask refuses tasks that have not ended, and tasks of another project", async () => {
  const { name } = await runDemo(service, "hangs");
  const watching = watch(service, { name });
  await watching.line("ready");
  const waiting = await runDemo(service, "hangs");
  for (const task of [name, waiting.name])
    expect(await refusal(tasks().deleteTask({ name: task }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "TASK_NOT_ENDED",
    });
  await tasks().killTask({ name: waiting.name });
  await tasks().killTask({ name, force: true });
  await watching.done;
  expect(await refusal(tasks().deleteTask({ name: name.replace("demo", "other") }))).toMatchObject({
    code: "NotFound",
  });
  await tasks().deleteTask({
    name: name.toUpperCase().replace("PROJECTS/DEMO/TASKS", "projects/demo/tasks"),
  });
  expect(await refusal(tasks().getTask({ name }))).toMatchObject({ code: "NotFound" });
});

test("thirty tasks are deleted at once, each twice, while their events get positions", async () => {
  await applyDemo(service, { quick: { script: "exit 0", allowParallelTasks: true } });
  const stop = new AbortController();
  const watching = refusal(tasks().watchTasks({ parent: "projects/demo" }, { signal: stop.signal }));
  const made = await Promise.all(Array.from({ length: 30 }, () => runDemo(service, "quick")));
  await Promise.all(
    made.map(async ({ name }) => {
      await collect(service, { name, logs: false });
      const twice = await Promise.allSettled([tasks().deleteTask({ name }), tasks().deleteTask({ name })]);
      expect(twice.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    }),
  );
  stop.abort();
  expect(await watching).toMatchObject({ code: "Canceled" });
  const ids = made.map(({ name }) => name.split("/").at(-1) ?? "");
  expect(await sql`SELECT 1 FROM tasks WHERE id IN ${sql(ids)}`).toHaveLength(0);
});
