import { existsSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../../../gen/google/rpc/error_details_pb.ts";
import type { Task } from "../../../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { endOf, follow, statusName } from "../../../faults/follow.ts";
import { aliveOf, appears, leavesNothing, taskFolder, until } from "../../../faults/traces.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { makeProject, needsTerraform } from "./project.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService({ env: { SIGNALMAN_MAX_PARALLEL_TASKS: "1" } });
});
afterAll(() => service?.[Symbol.asyncDispose]());
beforeEach(needsTerraform);

const outcomeOf = async ({ name }: Pick<Task, "name">) => {
  using watcher = follow(service, name);
  return endOf(await watcher.ended);
};

/** Code and reason of a call that is refused. */
async function refusalOf(call: Promise<unknown>): Promise<string> {
  const error = ConnectError.from(
    await call.then(
      () => new Error("it was not refused"),
      (e: unknown) => e,
    ),
  );
  return error.findDetails(ErrorInfoSchema)[0]?.reason ?? error.message;
}

test("weakness 11: a changed state makes the confirmed plan stale; no other plan is ever applied", async () => {
  await using project = await makeProject(service, { allowAutoApprove: true });
  const task = await project.planned({ variables: { name: "planned" } });
  // The inputs change, which the plan ignores; then the state, which makes the plan stale.
  const files = join(project.folder, "files", "infra");
  await writeFile(join(files, "late.tf"), 'resource "terraform_data" "late" { input = "late" }\n');
  await writeFile(
    project.state,
    JSON.stringify({
      version: 4,
      terraform_version: "1.11.0",
      serial: 7,
      lineage: "other",
      outputs: {},
      resources: [],
    }),
  );
  await project.confirm(task);
  expect(await outcomeOf(task)).toMatchObject({
    status: "ERROR",
    reason: "EXIT_CODE",
    message: expect.stringContaining("the plan is stale"),
  });
  expect(await project.applied()).toEqual({});
  await leavesNothing(service, task);
});

test("a configuration that changes after the plan does not change what is applied", async () => {
  await using project = await makeProject(service);
  const task = await project.planned({ variables: { name: "planned" } });
  const work = join(taskFolder(service, task), "work", "infra");
  await writeFile(join(work, "late.tf"), 'resource "terraform_data" "late" { input = "late" }\n');
  await project.confirm(task);
  expect(await outcomeOf(task)).toMatchObject({ status: "SUCCESS" });
  expect(await project.applied()).toEqual({ quick: "planned" });
});

test("a plan file that was replaced is not applied", async () => {
  await using project = await makeProject(service);
  const task = await project.planned();
  await writeFile(join(taskFolder(service, task), "plan", "plan"), "another");
  await project.confirm(task);
  expect(await outcomeOf(task)).toMatchObject({
    status: "ERROR",
    reason: "PREPARE_FAILED",
    message: expect.stringContaining("its file was changed"),
  });
  await leavesNothing(service, task);
});

test.each([
  ["plan", "it is no longer on this machine"],
  ["plan/basis.json", "the record of its inputs cannot be read"],
  ["work", "it is no longer on this machine"],
])("a plan is not applied once %s of it is gone", async (part, why) => {
  await using project = await makeProject(service);
  const task = await project.planned();
  await rm(join(taskFolder(service, task), part), { recursive: true });
  await project.confirm(task);
  expect(await outcomeOf(task)).toMatchObject({
    status: "ERROR",
    reason: "PREPARE_FAILED",
    message: expect.stringContaining(why),
  });
  expect(await project.applied()).toEqual({});
  await leavesNothing(service, task);
});

test("ConfirmTask needs the digest of the plan, and succeeds once", async () => {
  await using project = await makeProject(service);
  const task = await project.planned();
  expect(await refusalOf(project.confirm(task, "f".repeat(64)))).toBe("PLAN_CHANGED");
  await project.confirm(task);
  expect(await refusalOf(project.confirm(task))).toBe("NOT_WAITING_FOR_CONFIRMATION");
  expect(await outcomeOf(task)).toMatchObject({ status: "SUCCESS" });
  expect(await refusalOf(project.confirm(task))).toBe("NOT_WAITING_FOR_CONFIRMATION");
});

test("weakness 5: of a confirmation and a rejection at the same moment one succeeds", async () => {
  await using project = await makeProject(service);
  const { rejectTask } = service.client(TaskService);
  for (let round = 0; round < 4; round++) {
    const task = await project.planned({ variables: { name: `round ${round}` } });
    const both = await Promise.allSettled([project.confirm(task), rejectTask({ name: task.name })]);
    expect(both.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const { status, reason } = await outcomeOf(task);
    const isConfirmed = both[0].status === "fulfilled";
    expect([status, reason]).toEqual(isConfirmed ? ["SUCCESS", "UNSPECIFIED"] : ["ERROR", "REJECTED"]);
    await leavesNothing(service, task);
  }
});

test("RejectTask ends the task, with its reason and all its events", async () => {
  await using project = await makeProject(service);
  const task = await project.planned();
  using watcher = follow(service, task.name);
  await service.client(TaskService).rejectTask({ name: task.name, reason: "not on a Friday" });
  expect(endOf(await watcher.ended)).toMatchObject({
    status: "ERROR",
    reason: "REJECTED",
    message: "Its plan was rejected: not on a Friday",
  });
  expect(watcher.statuses.slice(-3)).toEqual(["WAITING_CONFIRMATION", "REJECTED", "ERROR"]);
  await leavesNothing(service, task);
});

test("a plan without a decision in time ends with CONFIRM_TIMEOUT", async () => {
  await using project = await makeProject(service);
  const task = await project.run({ confirmTimeout: { seconds: 1n } });
  expect(await outcomeOf(task)).toMatchObject({ status: "ERROR", reason: "CONFIRM_TIMEOUT" });
  expect((await project.get(task)).plan?.confirmDeadline).toBeDefined();
  await leavesNothing(service, task);
});

test("weakness 4: a kill ends a task that waits for confirmation at once, and its workspace is removed", async () => {
  await using project = await makeProject(service);
  const task = await project.planned();
  const killed = await service.client(TaskService).killTask({ name: task.name });
  expect(statusName(killed.task?.status ?? 0)).toBe("STOPPED");
  expect(await refusalOf(project.confirm(task))).toBe("NOT_WAITING_FOR_CONFIRMATION");
  expect(await project.applied()).toEqual({});
  await leavesNothing(service, task);
});

test("a task that waits for confirmation counts for its template's limit, but takes no slot and holds no key", async () => {
  await using project = await makeProject(service);
  const waiting = await project.planned({ secretVariables: { password: "hidden-value" } });
  expect(aliveOf(waiting)).toEqual([]);
  expect(existsSync(join(taskFolder(service, waiting), "private"))).toBe(false);
  const next = await project.run();
  // The only slot is free.
  expect(await outcomeOf(await project.run({}, "other"))).toMatchObject({ status: "SUCCESS" });
  expect(statusName((await project.get(next)).status)).toBe("WAITING");
  await project.confirm(waiting);
  expect(await outcomeOf(waiting)).toMatchObject({ status: "SUCCESS" });
  expect(await outcomeOf(next)).toMatchObject({ status: "SUCCESS" });
  await until(async () => (await readdir(join(service.dataDir, "tasks"))).length === 0);
});

test("a confirmed plan waits for a slot, and starts before waiting tasks", async () => {
  await using project = await makeProject(service);
  const task = await project.planned();
  const holding = await project.run({}, "hold");
  await appears(join(project.folder, "holds"));
  const queued = await project.run({}, "other");
  await project.confirm(task);
  // Waits until the pool has looked for tasks again.
  await until(() => Date.now() > Number(queued.createTime?.seconds) * 1000 + 3000);
  expect(statusName((await project.get(task)).status)).toBe("CONFIRMED");
  await writeFile(join(project.folder, "free"), "");
  const [applied, other] = await Promise.all([outcomeOf(task), outcomeOf(queued), outcomeOf(holding)]);
  expect([applied.status, other.status]).toEqual(["SUCCESS", "SUCCESS"]);
  const [one, two] = [await project.get(task), await project.get(queued)];
  expect(Number(one.end?.time?.seconds)).toBeLessThanOrEqual(Number(two.end?.time?.seconds));
});

test("a kill of a confirmed task that waits for a slot ends it without applying anything", async () => {
  await using project = await makeProject(service);
  const task = await project.planned();
  const holding = await project.run({}, "hold");
  await appears(join(project.folder, "holds"));
  await project.confirm(task);
  await service.client(TaskService).killTask({ name: task.name });
  expect(await outcomeOf(task)).toMatchObject({ status: "STOPPED", reason: "STOPPED_BY_USER" });
  expect(await project.applied()).toEqual({});
  await leavesNothing(service, task);
  await writeFile(join(project.folder, "free"), "");
  await outcomeOf(holding);
});
