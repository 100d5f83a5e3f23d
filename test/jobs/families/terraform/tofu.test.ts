import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { endOf, follow } from "../../../faults/follow.ts";
import { leavesNothing, taskFolder, until } from "../../../faults/traces.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { makeProject, needsTofu, type TerraformProject } from "./project.ts";

/** Tests of OpenTofu for behaviour that could differ from Terraform: its output, which is parsed, and how it ends. */

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service?.[Symbol.asyncDispose]());
beforeEach(needsTofu);

const tofu = (project: string, state?: string) =>
  makeProject(service, { allowDestroy: true }, { app: "tofu", project, ...(state && { state }) });

async function endAfter(project: TerraformProject, task: Awaited<ReturnType<TerraformProject["run"]>>) {
  using watcher = follow(service, task.name);
  await project.confirm(task);
  return endOf(await watcher.ended);
}

test("OpenTofu plans, waits, applies the confirmed plan, sees no changes, and destroys", async () => {
  await using project = await tofu("demo");
  const task = await project.planned({ secretVariables: { password: "hidden-value" } });
  expect(task.plan).toMatchObject({ add: 1, change: 0, destroy: 0 });
  const { text } = await service.client(TaskService).getTaskPlan({ name: task.name });
  expect(text).toContain("Plan: 1 to add, 0 to change, 0 to destroy.");
  const work = join(taskFolder(service, task), "work", "infra");
  await writeFile(join(work, "late.tf"), 'resource "terraform_data" "late" {}\n');
  expect(await endAfter(project, task)).toMatchObject({ status: "SUCCESS" });
  expect(await project.applied()).toEqual({ quick: "one" });
  const again = await project.run();
  using watcher = follow(service, again.name);
  expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
  expect(watcher.statuses).not.toContain("WAITING_CONFIRMATION");
  const destroying = await project.planned({ params: { case: "terraform", value: { destroy: true } } });
  expect(destroying.plan).toMatchObject({ add: 0, destroy: 1 });
  expect(await endAfter(project, destroying)).toMatchObject({ status: "SUCCESS" });
  expect(await project.applied()).toEqual({});
});

test("a stale plan and a held lock of OpenTofu are explained, and a kill of its apply saves the state", async () => {
  await using project = await tofu("one");
  const stale = await project.planned();
  await using other = await tofu("two", project.state);
  await other.slowDown();
  const slow = await other.planned();
  using watcher = follow(service, slow.name);
  await other.confirm(slow);
  await until(() => other.isBusy());
  expect(await endAfter(project, stale)).toMatchObject({
    reason: "EXIT_CODE",
    message: expect.stringMatching(/the state is locked by .*, lock [0-9a-f-]{36}\. .*"tofu force-unlock/),
  });
  await service.client(TaskService).killTask({ name: slow.name });
  expect(endOf(await watcher.ended)).toMatchObject({ status: "STOPPED" });
  expect(await project.applied()).toMatchObject({ quick: "one" });
  await leavesNothing(service, slow);
  const [first, second] = [await other.planned(), await project.planned({ variables: { name: "two" } })];
  await other.speedUp();
  expect(await endAfter(project, second)).toMatchObject({ status: "SUCCESS" });
  expect(await endAfter(other, first)).toMatchObject({
    message: expect.stringContaining("the plan is stale"),
  });
});
