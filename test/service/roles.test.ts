import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AppService } from "../../gen/signalman/v1/app_service_pb.ts";
import { LogStream, TaskStatus } from "../../gen/signalman/v1/task_pb.ts";
import { TaskService, type WatchTaskResponse } from "../../gen/signalman/v1/task_service_pb.ts";
import { type TestDatabase, testDatabase } from "../support/database.ts";
import { applyDemo, bytesOf, endOf, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";

let database: TestDatabase;
let api: TestService;
let runner: TestService;
beforeAll(async () => {
  database = await testDatabase();
  const env = { SIGNALMAN_SECRET_KEY: Buffer.alloc(32, 7).toString("base64") };
  const start = (roles: string) =>
    startService({ databaseUrl: database.url, env: { ...env, SIGNALMAN_ROLES: roles } });
  [api, runner] = await Promise.all([start("api"), start("runner")]);
});
afterAll(async () => {
  await Promise.all([api?.[Symbol.asyncDispose](), runner?.[Symbol.asyncDispose]()]);
  await database?.drop();
});

test("a server with both roles, the default, runs the tasks that it accepts", async () => {
  await using both = await startService();
  await applyDemo(both, { hello: "echo hello" });
  const { name } = await runDemo(both, "hello");
  expect(endOf(await watchToEnd(both, name)).status).toBe(TaskStatus.SUCCESS);
});

test("an api server and a runner server serve a task together, watched live", async () => {
  const go = join(api.dataDir, "go");
  await applyDemo(api, {
    live: `echo first; until [ -e "${go}" ]; do sleep 0.01; done; echo "got $TOKEN" >&2`,
  });
  const { name } = await runDemo(api, "live", { secretVariables: { TOKEN: "a-secret-value" } });
  const events: WatchTaskResponse[] = [];
  for await (const event of api.client(TaskService).watchTask({ name })) {
    events.push(event);
    // The program goes on when the watcher has received its first line.
    if (bytesOf([event], LogStream.STDOUT).includes("first")) await writeFile(go, "");
  }
  expect(endOf(events).status).toBe(TaskStatus.SUCCESS);
  expect(bytesOf(events, LogStream.STDOUT).toString()).toBe("first\n");
  expect(bytesOf(events, LogStream.STDERR).toString()).toBe("got ***\n");
});

test("a kill of the api server reaches the program on the runner server", async () => {
  await applyDemo(api, { waits: "echo ready; sleep 1000" });
  const { name } = await runDemo(api, "waits");
  for await (const { event } of api.client(TaskService).watchTask({ name })) {
    if (event.case === "log") await api.client(TaskService).killTask({ name });
    if (event.case === "end") expect(event.value.task?.status).toBe(TaskStatus.STOPPED);
  }
});

test("a runner server has health on its port and no services of the contract", async () => {
  expect((await fetch(`${runner.url}/healthz`)).status).toBe(200);
  const refused = await runner
    .client(TaskService)
    .listTasks({ parent: "projects/-" })
    .catch((error: unknown) => ConnectError.from(error).code);
  expect(refused).toBe(Code.Unimplemented);
});

test("an api server reports no app as runnable there", async () => {
  const { apps } = await api.client(AppService).listApps({});
  expect(apps.length).toBeGreaterThan(5);
  expect(apps.filter(({ available }) => available)).toEqual([]);
  expect(apps[0]?.problem).toContain("SIGNALMAN_ROLES");
});
