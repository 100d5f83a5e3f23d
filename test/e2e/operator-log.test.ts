import { afterAll, beforeAll, expect, test } from "vitest";
import { HookEvent } from "../../gen/signalman/v1/hook_pb.ts";
import type { Task } from "../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateType } from "../../gen/signalman/v1/template_pb.ts";
import { follow } from "../faults/follow.ts";
import { type CutProxy, openProxy } from "../faults/proxy.ts";
import { idOf } from "../faults/traces.ts";
import { makeProject, needsTerraform } from "../jobs/families/terraform/project.ts";
import { testDatabase } from "../support/database.ts";
import { applyDemo, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { PUPPET, runPuppet } from "../watch/puppet.ts";

const stack = new AsyncDisposableStack();
let proxy: CutProxy;
let service: TestService;
/** Log lines of earlier servers. */
let earlier = "";

beforeAll(async () => {
  const database = await testDatabase();
  stack.defer(() => database.drop());
  proxy = stack.use(await openProxy(database.url));
  service = stack.use(await startService({ databaseUrl: proxy.url }));
  const held = { name: "hold", event: HookEvent.BEFORE_TASK };
  await applyDemo(service, {
    build: { script: "exit 0", type: TemplateType.BUILD, startVersion: "1" },
    deploy: { script: "exit 3", type: TemplateType.DEPLOY, buildTemplate: "build", autorun: true },
    puppet: { script: PUPPET, allowParallelTasks: true },
    alone: PUPPET,
    held: {
      script: "true",
      hooks: [
        { ...held, kind: { case: "program", value: { app: "bash", script: "echo held; exec sleep 1000" } } },
      ],
    },
  });
});
afterAll(() => stack.disposeAsync());

async function restart(signal: NodeJS.Signals): Promise<void> {
  await service.kill(signal);
  earlier += `${service.log()}\n`;
  await service.start();
}

/** Returns the log lines that contain the task's id. */
function linesOf(task: Pick<Task, "name">): Record<string, unknown>[] {
  const found = `${earlier}${service.log()}`.split("\n").filter((line) => line.includes(idOf(task)));
  return found.map((line) => JSON.parse(line));
}
const story = (task: Pick<Task, "name">) => linesOf(task).map(({ msg }) => String(msg).replace("task ", ""));
const line = (task: Pick<Task, "name">, msg: string) =>
  linesOf(task).find((one) => one.msg === `task ${msg}`);

test("has the steps of a task from its creation to its end, and of the deploy that follows", async () => {
  const tasks = service.client(TaskService);
  const request = { template: "projects/demo/templates/build" };
  const { task } = await tasks.runTask(request, { headers: { "x-request-id": "from-ci" } });
  if (!task) throw new Error("no task");
  await watchToEnd(service, task.name);
  // The line of the deploy contains the id of its build as well.
  await expect.poll(() => story(task)).toEqual(["created", "claimed", "started", "ended", "created"]);
  const common = {
    level: 30,
    task: idOf(task),
    template: "projects/demo/templates/build",
    node: expect.stringMatching(/^[0-9a-f-]{36}$/),
  };
  const ms = expect.any(Number);
  expect(line(task, "created")).toMatchObject({ ...common, requestId: "from-ci", by: "anonymous" });
  expect(line(task, "claimed")).toMatchObject({ ...common, waitedMs: ms });
  expect(line(task, "started")).toMatchObject({ ...common, preparedMs: ms });
  expect(line(task, "ended")).toMatchObject({
    ...common,
    status: "SUCCESS",
    exitCode: 0,
    ranMs: ms,
    totalMs: ms,
  });
  const deploy = linesOf(task).at(-1);
  expect(deploy).toMatchObject({ template: "projects/demo/templates/deploy", by: "anonymous" });
  const name = `projects/demo/tasks/${deploy?.task}`;
  await watchToEnd(service, name);
  await expect.poll(() => story({ name })).toEqual(["created", "claimed", "started", "ended"]);
  expect(line({ name }, "ended")).toMatchObject({ status: "ERROR", reason: "EXIT_CODE", exitCode: 3 });
});

test("has the callers who killed a running or waiting task and who deleted it", async () => {
  const tasks = service.client(TaskService);
  const running = await runPuppet(service, "alone");
  using watcher = follow(service, running.name);
  await watcher.reaches("RUNNING");
  const waiting = await runDemo(service, "alone");
  await tasks.killTask({ name: waiting.name });
  await tasks.killTasks(
    { template: "projects/demo/templates/alone" },
    { headers: { "x-request-id": "stop" } },
  );
  await watcher.ended;
  await tasks.deleteTask({ name: running.name });
  await expect
    .poll(() => story(running))
    .toEqual(["created", "claimed", "started", "kill requested", "ended", "deleted"]);
  expect(line(running, "kill requested")).toMatchObject({ by: "anonymous", requestId: "stop", force: false });
  expect(line(running, "ended")).toMatchObject({ status: "STOPPED", reason: "STOPPED_BY_USER" });
  expect(story(waiting)).toEqual(["created", "kill requested", "ended"]);
});

test("has the reason why a task ended that was not started", async () => {
  const running = await runPuppet(service, "alone");
  using watcher = follow(service, running.name);
  await watcher.reaches("RUNNING");
  const waiting = await runDemo(service, "alone", { queueTimeout: { seconds: 1n } });
  await watchToEnd(service, waiting.name);
  await expect.poll(() => story(waiting)).toEqual(["created", "ended"]);
  expect(line(waiting, "ended")).toMatchObject({ status: "ERROR", reason: "QUEUE_TIMEOUT" });
  await running.do("exit");
  await watcher.ended;
});

test("has the steps of tasks whose server shuts down or is killed", async () => {
  const running = await runPuppet(service, "puppet");
  using watcher = follow(service, running.name);
  await watcher.reaches("RUNNING");
  const held = await runDemo(service, "held");
  using preparing = follow(service, held.name);
  await preparing.reaches("STARTING");
  await restart("SIGTERM");
  await expect.poll(() => story(running)).toContain("adopted");
  await expect.poll(() => story(held)).toEqual(["created", "claimed", "put back", "claimed"]);
  await restart("SIGKILL");
  await running.do("exit");
  await watcher.ended;
  const adopted = ["created", "claimed", "started", "left running", "adopted", "adopted", "ended"];
  await expect.poll(() => story(running)).toEqual(adopted);
  await expect.poll(() => story(held).slice(4, 6)).toEqual(["put back", "claimed"]);
  await service.client(TaskService).killTask({ name: held.name });
  await preparing.ended;
});

test("has at level warn the work that was retried while the database was away", async () => {
  const running = await runPuppet(service, "puppet");
  using watcher = follow(service, running.name);
  await watcher.reaches("RUNNING");
  const count = (pattern: RegExp) => service.log().match(pattern)?.length ?? 0;
  const failures = () => count(/"msg":"tidy up: (?!works again)/g);
  const recoveries = () => count(/"msg":"tidy up: works again/g);
  // The database may be back before the server has tried to store the line.
  for (let round = failures() + 1; !line(running, "retried"); round++) {
    proxy.cut();
    await running.do(`echo round ${round}`);
    await expect.poll(failures).toBe(round);
    proxy.heal();
    await expect.poll(recoveries).toBe(round);
    await watcher.says(`round ${round}`);
  }
  await running.do("exit");
  await watcher.ended;
  await expect
    .poll(() => line(running, "retried"))
    .toMatchObject({
      level: 40,
      what: "store its output",
      tries: expect.any(Number),
      ms: expect.any(Number),
      err: expect.objectContaining({ message: expect.any(String) }),
    });
});

test("has a plan that waits and the caller who decided on it", async (context) => {
  needsTerraform(context);
  await using project = await makeProject(service, {}, { project: "plans" });
  const tasks = service.client(TaskService);
  const task = await project.planned();
  await project.confirm(task);
  await watchToEnd(service, task.name);
  await expect
    .poll(() => story(task))
    .toEqual([
      "created",
      "claimed",
      "started",
      "waiting for confirmation",
      "confirmed",
      "resumed",
      "started",
      "ended",
    ]);
  expect(line(task, "waiting for confirmation")).toMatchObject({ plan: { add: 1, change: 0, destroy: 0 } });
  expect(line(task, "confirmed")).toMatchObject({ by: "anonymous", requestId: expect.any(String) });
  const other = await project.planned({ variables: { name: "two" } });
  await tasks.rejectTask({ name: other.name });
  await expect.poll(() => story(other).slice(-2)).toEqual(["rejected", "ended"]);
  expect(line(other, "ended")).toMatchObject({ status: "ERROR", reason: "REJECTED" });
});
