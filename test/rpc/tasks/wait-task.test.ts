import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AccountService, Role } from "../../../gen/signalman/v1/account_pb.ts";
import { RoleBindingService } from "../../../gen/signalman/v1/role_binding_pb.ts";
import { type Task, TaskStatus, WaitReason } from "../../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { TokenService } from "../../../gen/signalman/v1/token_pb.ts";
import { applyDemo, endOf, runDemo, watchToEnd } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { refusal } from "../support.ts";

/* Two servers of one database: the second runs no tasks, and waits for those of the first. */

const ROOT = "root-token-of-the-test";
const HOUR = { seconds: 3600n };
let runner: TestService;
let api: TestService;
const tasks = (server = runner) => server.client(TaskService);
const name = (task?: Task) => task?.name ?? "";
const run = async (template: string) => name(await runDemo(runner, template));
/** Resolves with the name of the task that a caller has created with this message. */
async function created(message: string): Promise<string> {
  for await (const { event } of tasks().watchTasks({ parent: "projects/demo" })) {
    const task = event.case === "snapshot" || event.case === "change" ? event.value.task : undefined;
    if (task?.message === message) return task.name;
  }
  throw new Error("The watch has ended");
}

beforeAll(async () => {
  const env = { SIGNALMAN_TOKEN: ROOT };
  runner = await startService({ env });
  api = await startService({ env: { ...env, SIGNALMAN_ROLES: "api" }, databaseUrl: runner.databaseUrl });
  await applyDemo(runner, {
    quick: { script: "seq 1 1000; exit 3", allowParallelTasks: true },
    sleeps: "sleep 1000",
    free: { script: "sleep 1000", allowParallelTasks: true },
  });
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await runner[Symbol.asyncDispose]();
});

test.each(["runner", "api"])(
  "WaitTask of the server with the role %s returns the task at its end",
  async (role) => {
    const server = role === "api" ? api : runner;
    const task = await run("free");
    const waiting = tasks(server).waitTask({ name: task, timeout: HOUR });
    await tasks().killTask({ name: task, force: true });
    expect((await waiting).task).toMatchObject({ name: task, status: TaskStatus.STOPPED, end: {} });
    const again = await tasks(server).waitTask({ name: task, timeout: HOUR });
    expect(again).toEqual(await waiting);
  },
);

test("it returns the task as it is when the time is over, with what it waits for", async () => {
  const [first, second] = [await run("sleeps"), await run("sleeps")];
  const { task } = await tasks().waitTask({ name: second, timeout: { seconds: 0n, nanos: 50_000_000 } });
  expect(task).toMatchObject({
    status: TaskStatus.WAITING,
    waitingFor: { reason: WaitReason.TEMPLATE_BUSY },
  });
  expect(task?.end).toBeUndefined();
  await tasks().waitTask({ name: second, timeout: { seconds: 0n } });
  await tasks().killTask({ name: second });
  await tasks().killTask({ name: first, force: true });
  expect((await tasks().waitTask({ name: first })).task?.status).toBe(TaskStatus.STOPPED);
});

test("RunTask with `wait` returns the task with its end; another `wait` is no other request", async () => {
  const request = { template: "projects/demo/templates/quick", requestId: randomUUID() };
  const { task } = await tasks().runTask({ ...request, wait: HOUR });
  expect(task).toMatchObject({ status: TaskStatus.ERROR, end: { exitCode: 3 } });
  expect(endOf(await watchToEnd(runner, name(task)))).toEqual(task);
  const again = await tasks(api).runTask({ ...request, wait: { seconds: 1n } });
  expect(again).toMatchObject({ deduplicated: true, task: { name: name(task), end: { exitCode: 3 } } });
  const late = await tasks().runTask({
    template: "projects/demo/templates/free",
    wait: { seconds: 0n, nanos: 20_000_000 },
  });
  expect(late.task?.end).toBeUndefined();
  await tasks().killTask({ name: name(late.task), force: true });
});

test("a thousand calls at once return at the end of their task", async () => {
  const task = await run("free");
  const clients = [tasks(runner), tasks(api)];
  const waiting = clients.flatMap((client) =>
    Array.from({ length: 500 }, () => client.waitTask({ name: task, timeout: HOUR })),
  );
  await tasks().killTask({ name: task, force: true });
  const ends = await Promise.all(waiting);
  expect(new Set(ends.map((answer) => answer.task?.status))).toEqual(new Set([TaskStatus.STOPPED]));
});

test("a call ends when its token is revoked, RunTask with the task that it has made", async () => {
  await runner.client(AccountService).createAccount({ accountId: "ci", account: {} });
  await runner.client(RoleBindingService).createRoleBinding({
    parent: "projects/demo",
    roleBindingId: "ci",
    roleBinding: { account: "accounts/ci", roles: [Role.RUNNER] },
  });
  const tokens = runner.client(TokenService);
  const { text } = await tokens.createToken({ parent: "accounts/ci", tokenId: "main" });
  const asCi = { headers: { authorization: `Bearer ${text}` } };
  const task = await run("free");
  const waiting = refusal(tasks(api).waitTask({ name: task, timeout: HOUR }, asCi));
  const request = { template: "projects/demo/templates/free", wait: HOUR, message: "by ci" };
  const running = tasks(api).runTask(request, asCi);
  const made = await created("by ci");
  await tokens.revokeToken({ name: "accounts/ci/tokens/main" });
  expect(await waiting).toMatchObject({ code: "Unauthenticated" });
  const answer = (await running).task;
  expect(answer?.name).toBe(made);
  expect(answer?.end).toBeUndefined();
  for (const one of [task, made]) await tasks().killTask({ name: one, force: true });
});

test("a server that shuts down answers the calls that wait", async () => {
  const task = await run("free");
  const waiting = refusal(tasks(api).waitTask({ name: task, timeout: HOUR }));
  const request = {
    template: "projects/demo/templates/free",
    requestId: randomUUID(),
    message: "during a stop",
  };
  const running = tasks(api).runTask({ ...request, wait: HOUR });
  const made = await created("during a stop");
  await api.kill("SIGTERM");
  expect(await waiting).toMatchObject({ code: "Unavailable" });
  const answer = (await running).task;
  expect(answer?.name).toBe(made);
  expect(answer?.end).toBeUndefined();
  expect((await tasks().runTask(request)).task?.name).toBe(made);
  for (const one of [task, made]) await tasks().killTask({ name: one, force: true });
});

test("there is no task to wait for", async () => {
  const missing = { name: `projects/demo/tasks/${randomUUID()}` };
  expect(await refusal(tasks().waitTask(missing))).toMatchObject({ code: "NotFound" });
});
