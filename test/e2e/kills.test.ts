import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import type { Task } from "../../gen/signalman/v1/task_pb.ts";
import {
  KillOutcome,
  type KillTaskRequestSchema,
  type RunTaskRequestSchema,
  TaskService,
} from "../../gen/signalman/v1/task_service_pb.ts";
import { endOf, type Follower, follow } from "../faults/follow.ts";
import { type SlowRepository, slowRepository } from "../faults/slow-repository.ts";
import { leavesNothing } from "../faults/traces.ts";
import { applyDemo, runDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";

const STOPPED = { status: "STOPPED", reason: "STOPPED_BY_USER" };
const { KILLED_BEFORE_START, KILL_REQUESTED, ALREADY_STOPPING, ALREADY_FINAL } = KillOutcome;
const ms = (n: number) => ({ seconds: BigInt(Math.floor(n / 1000)), nanos: (n % 1000) * 1e6 });

const SCRIPTS = {
  marks: "touch $1; sleep 1000",
  polite: "trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.01; done",
  stubborn: "trap '' TERM INT; echo ready; while :; do sleep 1000; done",
  silent: "exec sleep 1000",
  quick: "exit 0",
};

let service: TestService;
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "signalman-kills-"));
  service = await startService();
  const allow = { allowOverrideArguments: true, allowParallelTasks: true };
  const templates = Object.entries(SCRIPTS).map(([name, script]) => [name, { ...allow, script }]);
  await applyDemo(service, {
    ...Object.fromEntries(templates),
    serial: { script: "touch $1; sleep 1000", allowOverrideArguments: true },
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

interface Started {
  name: string;
  watcher: Follower;
}

async function start(
  template: keyof typeof SCRIPTS | "serial",
  request: MessageInitShape<typeof RunTaskRequestSchema> = {},
): Promise<Started> {
  const { name } = await runDemo(service, template, request);
  return { name, watcher: follow(service, name) };
}

async function startReady(template: "polite" | "stubborn"): Promise<Started> {
  const started = await start(template);
  await started.watcher.says("ready");
  return started;
}

const kill = (name: string, more: MessageInitShape<typeof KillTaskRequestSchema> = {}) =>
  service.client(TaskService).killTask({ name, ...more });

async function ends({ watcher }: Started, how: Partial<ReturnType<typeof endOf>>): Promise<Task> {
  const task = await watcher.ended;
  expect(endOf(task)).toMatchObject(how);
  await leavesNothing(service, task);
  return task;
}

test.concurrent.for([{}, { force: true }])("a waiting task that was killed %j never starts", async (how) => {
  const mark = join(scratch, `waiting-${Object.keys(how)}`);
  const first = await start("serial", { arguments: [`${mark}-first`] });
  const second = await start("serial", { arguments: [mark] });
  await first.watcher.reaches("RUNNING");
  expect((await kill(second.name, how)).outcome).toBe(KILLED_BEFORE_START);
  expect((await kill(second.name, how)).outcome).toBe(ALREADY_FINAL);
  await ends(second, STOPPED);
  expect(second.watcher.statuses).toEqual(["WAITING", "STOPPED"]);
  await kill(first.name, { force: true });
  await ends(first, STOPPED);
  const third = await start("serial", { arguments: [`${mark}-third`] });
  await third.watcher.reaches("RUNNING");
  await kill(third.name, { force: true });
  await ends(third, STOPPED);
  expect(existsSync(mark)).toBe(false);
});

test.concurrent.for([{}, { force: true }])(
  "a starting task that is killed %j stops its preparation",
  async (how) => {
    const folder = await mkdtemp(join(scratch, "slow-"));
    const repository = slowRepository(folder, { "mark.sh": `touch ${folder}/ran` });
    const { name, watcher } = await startSlow(repository, `slow${Object.keys(how)}`);
    await repository.begins();
    expect((await kill(name, how)).outcome).toBe(KILL_REQUESTED);
    await ends({ name, watcher }, { ...STOPPED, exitCode: undefined });
    expect(watcher.statuses).toEqual(["WAITING", "STARTING", "STOPPING", "STOPPED"]);
    expect(existsSync(join(folder, "ran"))).toBe(false);
  },
);

async function startSlow({ url }: SlowRepository, project: string): Promise<Started> {
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: project },
      repositories: [{ name: "slow", url }],
      templates: [{ name: "mark", app: "bash", repository: "slow", path: "mark.sh" }],
    },
  });
  const { task } = await service
    .client(TaskService)
    .runTask({ template: `projects/${project}/templates/mark` });
  if (!task) throw new Error("RunTask returned no task");
  return { name: task.name, watcher: follow(service, task.name) };
}

test.concurrent("a running task may clean up after SIGTERM", async () => {
  const started = await startReady("polite");
  expect((await kill(started.name)).outcome).toBe(KILL_REQUESTED);
  await ends(started, { ...STOPPED, exitCode: 9, signal: "" });
  expect(started.watcher.text()).toBe("ready\nbye\n");
  expect(started.watcher.statuses).toEqual(["WAITING", "STARTING", "RUNNING", "STOPPING", "STOPPED"]);
});

test.concurrent("with force a running task gets no signal before SIGKILL", async () => {
  const started = await startReady("polite");
  expect((await kill(started.name, { force: true })).outcome).toBe(KILL_REQUESTED);
  await ends(started, { ...STOPPED, exitCode: 137, signal: "SIGKILL" });
  expect(started.watcher.text()).toBe("ready\n");
});

test.concurrent("a final task is not changed", async () => {
  const started = await start("quick");
  await ends(started, { status: "SUCCESS" });
  const [again, byForce] = [await kill(started.name), await kill(started.name, { force: true })];
  expect([again.outcome, byForce.outcome]).toEqual([ALREADY_FINAL, ALREADY_FINAL]);
  expect(again.task).toEqual(byForce.task);
  expect(again.task?.kill).toBeUndefined();
});

test.concurrent("of two concurrent callers one is the first, and both get an answer", async () => {
  const started = await startReady("polite");
  const answers = await Promise.all([kill(started.name), kill(started.name)]);
  expect(answers.map(({ outcome }) => outcome).sort()).toEqual([KILL_REQUESTED, ALREADY_STOPPING].sort());
  await ends(started, { ...STOPPED, exitCode: 9 });
});

test.concurrent("a repeated kill brings the deadline forward and never puts it off", async () => {
  const started = await startReady("stubborn");
  const deadline = async (n: number, force = false) => {
    const { task } = await kill(started.name, { gracePeriod: ms(n), force });
    if (!task?.kill?.deadline) throw new Error("There is no deadline");
    return timestampMs(task.kill.deadline);
  };
  const first = await deadline(600_000);
  const shorter = await deadline(60_000);
  expect(shorter).toBeLessThan(first - 500_000);
  expect(await deadline(120_000)).toBe(shorter);
  const last = await deadline(100);
  expect(await deadline(600_000)).toBe(last);
  const task = await ends(started, { ...STOPPED, signal: "SIGKILL" });
  expect(task.kill?.force).toBe(false);
});

test.concurrent("force ends a grace period that has begun, and a later kill without force does not restore it", async () => {
  const started = await startReady("stubborn");
  await kill(started.name, { gracePeriod: ms(600_000), reason: "first" });
  const { outcome } = await kill(started.name, { force: true, reason: "second" });
  expect(outcome).toBe(ALREADY_STOPPING);
  await kill(started.name, { gracePeriod: ms(600_000) });
  const task = await ends(started, { ...STOPPED, signal: "SIGKILL" });
  expect(task.kill).toMatchObject({ force: true, reason: "first" });
});

test.concurrent("a run that takes longer than its run_timeout is ended", async () => {
  const started = await start("silent", { runTimeout: ms(1000) });
  await ends(started, { status: "ERROR", reason: "RUN_TIMEOUT", signal: "SIGTERM" });
});

test.concurrent("a run that prints nothing for longer than its idle_timeout is ended", async () => {
  const started = await start("silent", { idleTimeout: ms(1000) });
  await ends(started, { status: "ERROR", reason: "IDLE_TIMEOUT", signal: "SIGTERM" });
});

test.concurrent("a task that waits longer than its queue_timeout never starts", async () => {
  const mark = join(scratch, "queued");
  const first = await start("serial", { arguments: [`${mark}-first`] });
  const second = await start("serial", { arguments: [mark], queueTimeout: ms(1000) });
  await ends(second, { status: "ERROR", reason: "QUEUE_TIMEOUT", exitCode: undefined });
  await kill(first.name, { force: true });
  await ends(first, STOPPED);
  expect(existsSync(mark)).toBe(false);
});
