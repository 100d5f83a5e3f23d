import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Task } from "../../../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { endOf, type Follower, follow } from "../../../faults/follow.ts";
import { aliveOf, leavesNothing, until } from "../../../faults/traces.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { makeProject, needsTerraform, type TerraformProject } from "./project.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service?.[Symbol.asyncDispose]());
beforeEach(needsTerraform);

/** Starts a task whose apply has created one resource and waits at the other one. */
async function applying(project: TerraformProject): Promise<{ task: Task; watcher: Follower }> {
  await project.slowDown();
  const task = await project.planned();
  const watcher = follow(service, task.name);
  await project.confirm(task);
  await until(() => project.isBusy());
  return { task, watcher };
}

/** A lock of the local backend is held by a process on a file; its description lies beside the state. */
const lockFiles = async (project: TerraformProject) =>
  (await readdir(project.folder)).filter((name) => name.includes(".lock.info"));

test("a kill during apply saves the state, releases the lock and leaves no process", async () => {
  await using project = await makeProject(service);
  const { task, watcher } = await applying(project);
  expect(await lockFiles(project)).toHaveLength(1);
  const { task: killed } = await service.client(TaskService).killTask({ name: task.name });
  const graceMs = Number(killed?.kill?.deadline?.seconds) * 1000 - Number(killed?.kill?.time?.seconds) * 1000;
  expect(graceMs).toBeGreaterThan(28_000);
  expect(endOf(await watcher.ended)).toMatchObject({ status: "STOPPED", reason: "STOPPED_BY_USER" });
  expect(watcher.text()).toContain("Gracefully shutting down");
  expect(await project.applied()).toMatchObject({ quick: "one" });
  expect(await lockFiles(project)).toEqual([]);
  await leavesNothing(service, task);
  watcher[Symbol.dispose]();
  // The state can be used again at once.
  const next = await project.planned();
  expect(next.plan).toMatchObject({ add: 1 });
  await service.client(TaskService).rejectTask({ name: next.name });
});

test("a forced kill during apply leaves no process", async () => {
  await using project = await makeProject(service);
  const { task, watcher } = await applying(project);
  await service.client(TaskService).killTask({ name: task.name, force: true });
  expect(endOf(await watcher.ended)).toMatchObject({ status: "STOPPED", signal: "SIGKILL" });
  await leavesNothing(service, task);
  watcher[Symbol.dispose]();
});

test("a held state lock is reported with its id, and never broken", async () => {
  await using project = await makeProject(service, { allowAutoApprove: true });
  const { task, watcher } = await applying(project);
  const [file = ""] = await lockFiles(project);
  const lock = JSON.parse(readFileSync(`${project.folder}/${file}`, "utf8")) as { ID: string };
  await using second = await makeProject(service, {}, { project: "two", state: project.state });
  const late = await second.run();
  using lateWatcher = follow(service, late.name);
  const { status, reason, message } = endOf(await lateWatcher.ended);
  expect({ status, reason }).toEqual({ status: "ERROR", reason: "EXIT_CODE" });
  expect(message).toMatch(
    new RegExp(`the state is locked by .* for OperationTypeApply since .*, lock ${lock.ID}\\.`),
  );
  expect(aliveOf(task)).not.toEqual([]);
  await project.speedUp();
  expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
  watcher[Symbol.dispose]();
});

test("run_timeout counts for each program, and ends an apply as a kill does", async () => {
  await using project = await makeProject(service);
  await project.slowDown();
  const task = await project.planned({ runTimeout: { seconds: 3n } });
  using watcher = follow(service, task.name);
  await project.confirm(task);
  expect(endOf(await watcher.ended)).toMatchObject({ status: "ERROR", reason: "RUN_TIMEOUT" });
  expect(await project.applied()).toMatchObject({ quick: "one" });
  await leavesNothing(service, task);
});

test("a kill during a plan that waits for a lock ends it at once", async () => {
  await using project = await makeProject(service);
  const { task, watcher } = await applying(project);
  await using second = await makeProject(service, {}, { project: "two", state: project.state });
  const late = await second.run();
  using lateWatcher = follow(service, late.name);
  await lateWatcher.says("successfully initialized");
  await service.client(TaskService).killTask({ name: late.name });
  expect(endOf(await lateWatcher.ended)).toMatchObject({ status: "STOPPED", exitCode: 130 });
  await leavesNothing(service, late);
  await project.speedUp();
  expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
  await leavesNothing(service, task);
  watcher[Symbol.dispose]();
});

test("a kill during init, while a module's server is silent, ends it within the grace period", async () => {
  await using project = await makeProject(service);
  await using silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const source = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/module`;
  await writeFile(join(project.folder, "files/infra/module.tf"), `module "m" {\n  source = "${source}"\n}\n`);
  const asked = once(silent, "request");
  const task = await project.run();
  using watcher = follow(service, task.name);
  await asked;
  await service.client(TaskService).killTask({ name: task.name, gracePeriod: { seconds: 2n } });
  expect(endOf(await watcher.ended)).toMatchObject({ status: "STOPPED" });
  await leavesNothing(service, task);
  silent.closeAllConnections();
});
