import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { endOf, follow } from "../../../faults/follow.ts";
import { leavesNothing, until } from "../../../faults/traces.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { makeProject, needsTerraform } from "./project.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service?.[Symbol.asyncDispose]());
beforeEach(needsTerraform);

async function restart(): Promise<void> {
  await service.kill("SIGKILL");
  await service.start();
}

const STATUSES = [
  "WAITING",
  "STARTING",
  "RUNNING",
  "WAITING_CONFIRMATION",
  "CONFIRMED",
  "RUNNING",
  "SUCCESS",
];

test("a server that is killed during plan, confirmation and apply loses nothing", async () => {
  await using project = await makeProject(service);
  await project.slowDown();
  const task = await project.run({ variables: { name: "kept" } });
  using watcher = follow(service, task.name);
  await watcher.says("Initializing");
  await restart();
  await watcher.reaches("WAITING_CONFIRMATION");
  await restart();
  const waiting = await project.get(task);
  await project.confirm(waiting);
  await until(() => project.isBusy());
  await restart();
  await project.speedUp();
  expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
  expect(watcher.statuses).toEqual(STATUSES);
  expect(watcher.text().match(/Initializing the backend/g)).toHaveLength(1);
  expect(watcher.text().match(/Apply complete! Resources: 2 added/g)).toHaveLength(1);
  expect(await project.applied()).toMatchObject({ quick: "kept" });
  await leavesNothing(service, task);
});

test("a plan whose server dies right after the confirmation is applied by the next server", async () => {
  await using project = await makeProject(service);
  const task = await project.planned();
  using watcher = follow(service, task.name);
  await project.confirm(task);
  await service.kill("SIGKILL");
  await service.start();
  expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
  expect(watcher.statuses).toEqual(STATUSES);
});

test("a kill of an apply whose server dies meanwhile signals it once, and the state is saved", async () => {
  await using project = await makeProject(service);
  await project.slowDown();
  const task = await project.planned();
  using watcher = follow(service, task.name);
  await project.confirm(task);
  await until(() => project.isBusy());
  await service.client(TaskService).killTask({ name: task.name });
  await restart();
  expect(endOf(await watcher.ended)).toMatchObject({ status: "STOPPED" });
  expect(watcher.text()).not.toContain("Two interrupts received");
  expect(await project.applied()).toMatchObject({ quick: "one" });
  await leavesNothing(service, task);
});

test("the workspace of a task that was rejected while its server was away is removed by the next server", async () => {
  await using project = await makeProject(service);
  const task = await project.planned();
  await using other = await startService({ databaseUrl: service.databaseUrl });
  await service.kill("SIGKILL");
  await other.client(TaskService).rejectTask({ name: task.name });
  await service.start();
  await leavesNothing(service, task);
});

test("a plan that is confirmed at another server is applied by the server with the workspace", async () => {
  await using project = await makeProject(service);
  const task = await project.planned();
  await using other = await startService({ databaseUrl: service.databaseUrl });
  using watcher = follow(other, task.name);
  await other.client(TaskService).confirmTask({ name: task.name, planDigest: task.plan?.digest ?? "" });
  const ended = await watcher.ended;
  expect(endOf(ended)).toMatchObject({ status: "SUCCESS" });
  expect(ended.node).toBe(task.node);
});
