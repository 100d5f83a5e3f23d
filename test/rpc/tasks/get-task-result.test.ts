import { afterAll, beforeAll, expect, test } from "vitest";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { openDatabase } from "../../../src/store/postgres/database.ts";
import { storeResult } from "../../../src/store/tasks/results.ts";
import { applyDemo, endOf, runDemo, watchToEnd } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { refusal } from "../support.ts";

let service: TestService;
let name: string;
beforeAll(async () => {
  service = await startService();
  await applyDemo(service, { t: "true" });
  ({ name } = endOf(await watchToEnd(service, (await runDemo(service, "t")).name)));
});
afterAll(() => service?.[Symbol.asyncDispose]());

const ask = (task: string) => service.client(TaskService).getTaskResult({ name: task });

test("a program without outputs has no result", async () => {
  expect((await ask(name)).result).toBeUndefined();
});

test("the result stored last under the task's lease is returned; one under another lease is refused", async () => {
  const database = openDatabase({ url: service.databaseUrl, max: 1, name: "test", deadlineMs: 15_000 });
  const lease = { id: name.split("/").at(-1) ?? "", leaseEpoch: 1 };
  await storeResult(database, lease, { terraform: { added: 1 } });
  await storeResult(database, lease, { terraform: { added: 2, applied: true } });
  await storeResult(database, { ...lease, leaseEpoch: 2 }, { terraform: { added: 3 } });
  await database.close();
  const { result } = await ask(name);
  expect(result?.app).toMatchObject({ case: "terraform", value: { added: 2, applied: true } });
});

test("GetTaskResult of an unknown task answers NOT_FOUND", async () => {
  const other = name.replace(/.$/, (digit) => (digit === "0" ? "1" : "0"));
  expect(await refusal(ask(other))).toMatchObject({ code: "NotFound" });
});
