import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { EnvironmentService } from "../../gen/signalman/v1/environment_pb.ts";
import { LogStream } from "../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { openSql } from "../rpc/support.ts";
import { applyDemo, runDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { PUPPET, runPuppet } from "../watch/puppet.ts";
import { endOf, follow } from "./follow.ts";
import { slowRepository } from "./slow-repository.ts";
import { aliveOf, idOf, leavesNothing, until } from "./traces.ts";
import { expectWhole, stopWriter, WRITER, WRITTEN, writtenSoFar } from "./writer.ts";

const KILLS = 20;

const SCRIPTS = {
  writer: WRITER,
  quick: "echo ran >>$1/runs",
  stubborn: "trap '' TERM; echo ready; while :; do sleep 1000; done",
  obedient:
    "trap 'echo >>$1/asked; until [ -e $1/go ]; do sleep 0.01; done; exit 9' TERM; echo ready; while :; do sleep 0.01; done",
};

let service: TestService;
beforeAll(async () => {
  service = await startService();
  const allow = { allowOverrideArguments: true, allowParallelTasks: true };
  await applyDemo(
    service,
    Object.fromEntries(
      Object.entries(SCRIPTS).map(([name, given]) => [
        name,
        { ...allow, ...(typeof given === "string" ? { script: given } : given) },
      ]),
    ),
  );
});
afterAll(() => service[Symbol.asyncDispose]());

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "signalman-killed-"));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

const run = (template: keyof typeof SCRIPTS) => runDemo(service, template, { arguments: [scratch] });

async function restart(): Promise<void> {
  await service.kill("SIGKILL");
  await service.start();
}

test("a server that is killed 20 times during a task loses no line and stores none twice", {
  timeout: 600_000,
}, async () => {
  const task = await run("writer");
  using watcher = follow(service, task.name);
  await watcher.reaches("RUNNING");
  for (let kill = 0; kill < KILLS; kill++) {
    await watcher.counts(watcher.lines + 1 + ((kill * 67) % 150));
    await restart();
  }
  await watcher.counts(watcher.lines + 1);
  await stopWriter(scratch);
  expect(endOf(await watcher.ended)).toMatchObject(WRITTEN);
  await expectWhole(watcher, scratch);
  expect(watcher.statuses).toEqual(["WAITING", "STARTING", "RUNNING", "ERROR"]);
  expect(watcher.breaks.length).toBeGreaterThanOrEqual(KILLS);
  await leavesNothing(service, task);
});

test("a task that ends while no server runs is finished by the next one", async () => {
  const task = await run("writer");
  using watcher = follow(service, task.name);
  await watcher.counts(100);
  await service.kill("SIGKILL");
  await stopWriter(scratch);
  await until(() => aliveOf(task).length === 0);
  await service.start();
  expect(endOf(await watcher.ended)).toMatchObject(WRITTEN);
  await expectWhole(watcher, scratch);
  await leavesNothing(service, task);
});

test("a program that ended in time while no server ran has not timed out, however late the next server starts", async () => {
  const task = await runDemo(service, "writer", { arguments: [scratch], runTimeout: { seconds: 600n } });
  using watcher = follow(service, task.name);
  await watcher.counts(10);
  await service.kill("SIGKILL");
  await stopWriter(scratch);
  await until(() => aliveOf(task).length === 0);
  // Moves the deadline into the past.
  const sql = openSql(service);
  await sql`UPDATE tasks SET run_deadline = clock_timestamp() - interval '1 s' WHERE id = ${idOf(task)}`;
  await sql.end();
  await service.start();
  expect(endOf(await watcher.ended)).toMatchObject(WRITTEN);
});

test("a task whose server is killed while it prepares it goes back to the queue and runs once", async () => {
  const repository = slowRepository(scratch, { "quick.sh": `echo ran >>${scratch}/runs` });
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "slow" },
      repositories: [{ name: "slow", url: repository.url }],
      templates: [{ name: "quick", app: "bash", repository: "slow", path: "quick.sh" }],
    },
  });
  const { task } = await service.client(TaskService).runTask({ template: "projects/slow/templates/quick" });
  if (!task) throw new Error("no task");
  using watcher = follow(service, task.name);
  await repository.begins();
  await restart();
  await repository.begins(2);
  repository.release();
  expect(endOf(await watcher.ended).status).toBe("SUCCESS");
  expect(watcher.statuses).toEqual(["WAITING", "STARTING", "WAITING", "STARTING", "RUNNING", "SUCCESS"]);
  expect(await readFile(join(scratch, "runs"), "utf8")).toBe("ran\n");
  await leavesNothing(service, task);
});

test("a kill whose grace period has begun is completed by the next server", async () => {
  const task = await run("stubborn");
  using watcher = follow(service, task.name);
  await watcher.says("ready");
  await service.client(TaskService).killTask({ name: task.name, gracePeriod: { seconds: 2n } });
  await restart();
  expect(endOf(await watcher.ended)).toMatchObject({
    status: "STOPPED",
    reason: "STOPPED_BY_USER",
    signal: "SIGKILL",
  });
  await leavesNothing(service, task);
});

test("tasks whose program was killed while no server ran are STOPPED", async () => {
  const tasks = await Promise.all(Array.from({ length: 8 }, () => run("obedient")));
  const watchers = tasks.map((task) => follow(service, task.name));
  await Promise.all(watchers.map((watcher) => watcher.says("ready")));
  await Promise.all(tasks.map(({ name }) => service.client(TaskService).killTask({ name })));
  await until(
    () => existsSync(join(scratch, "asked")) && readFileSync(join(scratch, "asked")).length === tasks.length,
  );
  await service.kill("SIGKILL");
  await writeFile(join(scratch, "go"), "");
  await until(() => tasks.flatMap(aliveOf).length === 0);
  await service.start();
  for (const watcher of watchers) {
    expect(endOf(await watcher.ended)).toMatchObject({
      status: "STOPPED",
      reason: "STOPPED_BY_USER",
      exitCode: 9,
    });
  }
});

test("SIGTERM ends the server within 5 s and its streams with UNAVAILABLE; the task goes on", async () => {
  const task = await run("writer");
  using watcher = follow(service, task.name);
  await watcher.counts(50);
  const stream = service.client(TaskService).watchTask({ name: task.name })[Symbol.asyncIterator]();
  await stream.next();
  const broken = errorOf(stream);
  const sent = performance.now();
  expect(await service.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  expect(performance.now() - sent).toBeLessThan(5000);
  const error = await broken;
  expect(error.code).toBe(Code.Unavailable);
  expect(error.findDetails(RetryInfoSchema)).toHaveLength(1);
  const before = await writtenSoFar(scratch);
  await until(async () => (await writtenSoFar(scratch)) > before);
  await service.start();
  await stopWriter(scratch);
  expect(endOf(await watcher.ended)).toMatchObject(WRITTEN);
  await expectWhole(watcher, scratch);
  await leavesNothing(service, task);
});

async function errorOf(stream: AsyncIterator<unknown>): Promise<ConnectError> {
  try {
    while (!(await stream.next()).done);
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("The stream ended without an error");
}

test("the old and the new value of a secret that is changed during a task are masked by the next server", async () => {
  const environments = service.client(EnvironmentService);
  await environments.createEnvironment({
    parent: "projects/demo",
    environmentId: "e",
    environment: { secretEnv: { TOKEN: "the-first-token" } },
  });
  await applyDemo(service, { puppet: { script: PUPPET, environment: "e" } });
  const task = await runPuppet(service, "puppet", { secretVariables: { PIN: "12" } });
  using watcher = follow(service, task.name);
  await watcher.reaches("RUNNING");
  await watcher.says("These secrets are too short to be masked in this log: PIN", LogStream.SYSTEM);
  await environments.updateEnvironment({
    environment: { name: "projects/demo/environments/e", secretEnv: { TOKEN: "the-second-token" } },
  });
  await restart();
  await task.do("echo $TOKEN the-second-token; exit");
  await watcher.ended;
  const { lines } = await service.client(TaskService).readTaskLog({ name: task.name });
  const texts = lines.map(({ content }) => Buffer.from(content).toString());
  expect(texts).toContain("*** ***");
  expect(
    texts.filter((text) => text === "These secrets are too short to be masked in this log: PIN"),
  ).toHaveLength(1);
});
