import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Task } from "../../../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { endOf, follow } from "../../../faults/follow.ts";
import { leavesNothing } from "../../../faults/traces.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { makeProject, needsTerraform } from "./project.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service?.[Symbol.asyncDispose]());
beforeEach(needsTerraform);

const resultOf = async (name: string) =>
  (await service.client(TaskService).getTaskResult({ name })).result?.app.value;

const outcomeOf = async ({ name }: Pick<Task, "name">) => {
  using watcher = follow(service, name);
  return endOf(await watcher.ended);
};

test("a confirmed plan is applied, and nothing of the task is left", async () => {
  await using project = await makeProject(service);
  const task = await project.planned({ variables: { name: "two" } });
  expect(task.plan).toMatchObject({
    add: 1,
    change: 0,
    destroy: 0,
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  const { plan, text } = await service.client(TaskService).getTaskPlan({ name: task.name });
  expect(plan).toEqual(task.plan);
  expect(text).toContain("Plan: 1 to add, 0 to change, 0 to destroy.");
  expect(await project.applied()).toEqual({});
  // The unmasked output of the plan is removed while it waits.
  await expect
    .poll(() => existsSync(join(service.dataDir, "tasks", task.name.split("/").at(-1) ?? "", "spool")))
    .toBe(false);
  using watcher = follow(service, task.name);
  await project.confirm(task);
  expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS", exitCode: 0 });
  expect(watcher.statuses).toEqual([
    "WAITING",
    "STARTING",
    "RUNNING",
    "WAITING_CONFIRMATION",
    "CONFIRMED",
    "RUNNING",
    "SUCCESS",
  ]);
  expect(watcher.text()).toContain("Apply complete! Resources: 1 added");
  expect(await project.applied()).toEqual({ quick: "two" });
  expect(await resultOf(task.name)).toMatchObject({ added: 1, changed: 0, destroyed: 0, applied: true });
  await leavesNothing(service, task);
});

test("a plan without changes ends as SUCCESS at once", async () => {
  await using project = await makeProject(service, { autoApprove: true });
  expect(await outcomeOf(await project.run())).toMatchObject({ status: "SUCCESS" });
  const again = await project.run();
  expect(await outcomeOf(again)).toMatchObject({ status: "SUCCESS" });
  expect(await resultOf(again.name)).toMatchObject({ added: 0, applied: false });
});

test("plan_only ends the task after the plan", async () => {
  await using project = await makeProject(service, { autoApprove: true });
  const task = await project.run({ params: { case: "terraform", value: { planOnly: true } } });
  expect(await outcomeOf(task)).toMatchObject({ status: "SUCCESS" });
  expect(await resultOf(task.name)).toMatchObject({ added: 1, applied: false });
  expect(await project.applied()).toEqual({});
});

test("destroy needs the template's permission, and removes everything once it is confirmed", async () => {
  await using project = await makeProject(service, { autoApprove: false });
  const destroy = { params: { case: "terraform", value: { destroy: true } } } as const;
  await expect(project.run(destroy)).rejects.toThrow(/does not allow/);
  await using allowed = await makeProject(service, { allowDestroy: true });
  const first = await allowed.planned();
  using watcher = follow(service, first.name);
  await allowed.confirm(first);
  await watcher.ended;
  const task = await allowed.planned(destroy);
  expect(task.plan).toMatchObject({ add: 0, destroy: 1 });
  await allowed.confirm(task);
  expect(await outcomeOf(task)).toMatchObject({ status: "SUCCESS" });
  expect(await allowed.applied()).toEqual({});
});

test("arguments and environment of a task can neither destroy nor apply an unconfirmed plan", async () => {
  await using project = await makeProject(service, { autoApprove: true }, { allowOverrideArguments: true });
  expect(await outcomeOf(await project.run())).toMatchObject({ status: "SUCCESS" });
  await expect(project.run({ arguments: ["-destroy"] })).rejects.toThrow(/arguments\[0\]: .* to destroy/);
  for (const name of [
    "TF_CLI_ARGS",
    "TF_CLI_ARGS_plan",
    "TF_CLI_ARGS_apply",
    "TF_DATA_DIR",
    "TF_WORKSPACE",
    "TF_VAR_name",
  ])
    await expect(project.run({ env: { [name]: "-destroy" } })).rejects.toThrow(`env["${name}"]`);
  // Arguments that end the options or name another file: Terraform writes the plan to the expected file, or fails.
  for (const args of [["--"], ["-out=elsewhere"], ["-detailed-exitcode=false"]]) {
    const task = await project.run({ arguments: args, variables: { name: args[0] ?? "" } });
    const { status, reason } = await outcomeOf(task);
    expect([status, reason]).toEqual(args[0] === "--" ? ["ERROR", "EXIT_CODE"] : ["SUCCESS", "UNSPECIFIED"]);
  }
  expect(await project.applied()).toEqual({ quick: "-detailed-exitcode=false" });
});

test("auto_approve needs the template's permission, and applies without a confirmation", async () => {
  await using project = await makeProject(service);
  const approved = { params: { case: "terraform", value: { autoApprove: true } } } as const;
  await expect(project.run(approved)).rejects.toThrow(/does not allow/);
  await using allowed = await makeProject(service, { allowAutoApprove: true });
  const task = await allowed.run(approved);
  using watcher = follow(service, task.name);
  expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
  expect(watcher.statuses).not.toContain("WAITING_CONFIRMATION");
  expect(await allowed.applied()).toEqual({ quick: "one" });
});

test("arguments of a stage are passed to that stage only; those of the task to the plan", async () => {
  await using project = await makeProject(service, {
    stageArguments: { plan: { arguments: ["-var=name=three"] }, apply: { arguments: ["-parallelism=1"] } },
  });
  const task = await project.planned();
  await project.confirm(task);
  expect(await outcomeOf(task)).toMatchObject({ status: "SUCCESS" });
  expect(await project.applied()).toEqual({ quick: "three" });
});

test("an invalid configuration fails with Terraform's first error", async () => {
  await using project = await makeProject(service, {
    stageArguments: { plan: { arguments: ["-var=nobody=1"] } },
  });
  expect(await outcomeOf(await project.run())).toEqual({
    status: "ERROR",
    reason: "EXIT_CODE",
    exitCode: 1,
    signal: "",
    message: "The program ended with exit code 1: Value for undeclared variable",
  });
});
