import { randomUUID } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TaskStatus } from "../../gen/signalman/v1/task_pb.ts";
import { type RunTaskRequestSchema, TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { applyDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { openSql, refusal } from "./support.ts";

type Init = Exclude<MessageInitShape<typeof RunTaskRequestSchema>, { $typeName: string }>;

let service: TestService;
let sql: postgres.Sql;
beforeAll(async () => {
  service = await startService();
  sql = openSql(service);
  await applyDemo(service, { plain: { script: "", allowParallelTasks: true }, open: "" });
});
afterAll(async () => {
  await sql.end();
  await service[Symbol.asyncDispose]();
});

const run = (request: Init = {}) =>
  service.client(TaskService).runTask({ template: "projects/demo/templates/plain", ...request });
const countOf = async () => Number((await sql`SELECT count(*) FROM tasks`)[0]?.count);

test("five calls with the same request id at the same moment create one task", async () => {
  const before = await countOf();
  const requestId = randomUUID();
  const answers = await Promise.all(Array.from({ length: 5 }, () => run({ requestId, variables: { a: 1 } })));
  expect(new Set(answers.map(({ task }) => task?.name)).size).toBe(1);
  expect(answers.map(({ deduplicated }) => deduplicated).sort()).toEqual([false, true, true, true, true]);
  expect(await countOf()).toBe(before + 1);
});

const body: Init = {
  requestId: "",
  variables: { a: { x: 1, y: [{ p: 1, q: 2 }] }, b: 2 },
  env: { A: "1", B: "2" },
  labels: { a: "1", b: "2" },
  secretVariables: { S: "one", T: "two" },
  message: "m",
};

test("a request id with the same body returns the same task, whatever the order of keys and the spelling of the id", async () => {
  const requestId = randomUUID();
  const first = await run({ ...body, requestId });
  const again = await run({
    message: "m",
    secretVariables: { T: "two", S: "one" },
    labels: { b: "2", a: "1" },
    env: { B: "2", A: "1" },
    variables: { b: 2, a: { y: [{ q: 2, p: 1 }], x: 1 } },
    requestId: requestId.toUpperCase(),
  });
  expect(again.deduplicated).toBe(true);
  expect(again.task?.name).toBe(first.task?.name);
});

const CHANGES: [string, Init][] = [
  ["a secret", { secretVariables: { S: "another", T: "two" } }],
  ["two secrets exchanged", { secretVariables: { S: "two", T: "one" } }],
  ["a variable deep inside", { variables: { a: { x: 1, y: [{ p: 1, q: 3 }] }, b: 2 } }],
  ["the order of a list", { variables: { a: { x: 1, y: [] }, b: [1, 2] } }],
  ["a label", { labels: { a: "1" } }],
  ["the environment", { env: {} }],
  ["the message", { message: "n" }],
  ["a priority", { priority: 51 }],
  ["a time-out", { runTimeout: { seconds: 5n } }],
  ["another template", { template: "projects/demo/templates/open" }],
];
test.each(CHANGES)("a request id with another body is refused: %s", async (_, change) => {
  const requestId = randomUUID();
  await run({ ...body, requestId });
  const before = await countOf();
  const again = run({ ...body, requestId, ...change });
  expect(await refusal(again)).toEqual({ code: "AlreadyExists", reason: "REQUEST_ID_REUSED", fields: [] });
  expect(await countOf()).toBe(before);
});

test("a request id returns the same task after the task has ended and the template has changed", async () => {
  const requestId = randomUUID();
  const { task } = await run({ requestId });
  await watchToEnd(service, task?.name ?? "");
  const again = await run({ requestId });
  expect(again.deduplicated).toBe(true);
  expect(again.task?.status).toBe(TaskStatus.SUCCESS);
});
