import { existsSync } from "node:fs";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { endOf, follow } from "../faults/follow.ts";
import { leavesNothing, taskFolder } from "../faults/traces.ts";
import { makeProject, needsTerraform } from "../jobs/families/terraform/project.ts";
import { startService, type TestService } from "../support/service.ts";

/** As tasks.test.ts, for the Terraform family. */

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service?.[Symbol.asyncDispose]());
beforeEach(needsTerraform);

const destroying = { params: { case: "terraform", value: { destroy: true } } } as const;

test("weakness 4: a kill of a task that waits for confirmation ends it at once, and it is never applied", async () => {
  await using project = await makeProject(service);
  const task = await project.planned();
  using watcher = follow(service, task.name);
  await service.client(TaskService).killTask({ name: task.name });
  expect(endOf(await watcher.ended)).toMatchObject({ status: "STOPPED" });
  await leavesNothing(service, task);
  expect(await project.applied()).toEqual({});
});

test("weakness 5: only a task whose plan waits can be confirmed or rejected", async () => {
  await using project = await makeProject(service);
  const { confirmTask, rejectTask } = service.client(TaskService);
  const other = await project.run({}, "other");
  using watcher = follow(service, other.name);
  const codeOf = (call: Promise<unknown>) =>
    call.then(
      () => undefined,
      (error: unknown) => ConnectError.from(error).code,
    );
  const decisions = () => [
    codeOf(confirmTask({ name: other.name, planDigest: "any" })),
    codeOf(rejectTask({ name: other.name })),
  ];
  expect(await Promise.all(decisions())).toEqual([Code.FailedPrecondition, Code.FailedPrecondition]);
  expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
  expect(await Promise.all(decisions())).toEqual([Code.FailedPrecondition, Code.FailedPrecondition]);
});

test("weakness 11: the plan's file is applied, with its variables and -destroy, whatever arguments the stages have", async () => {
  await using project = await makeProject(service, {
    allowDestroy: true,
    stageArguments: { init: { arguments: ["-get=false"] }, plan: { arguments: ["-parallelism=2"] } },
  });
  for (const { request, applied } of [
    { request: { variables: { name: "given" } }, applied: { quick: "given" } },
    { request: destroying, applied: {} },
  ]) {
    const task = await project.planned(request);
    expect(existsSync(join(taskFolder(service, task), "plan", "plan"))).toBe(true);
    using watcher = follow(service, task.name);
    await project.confirm(task);
    expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
    expect(await project.applied()).toEqual(applied);
  }
});
