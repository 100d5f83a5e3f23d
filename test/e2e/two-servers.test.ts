import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import type { Task } from "../../gen/signalman/v1/task_pb.ts";
import { KillOutcome, TaskService, type WatchTaskResponse } from "../../gen/signalman/v1/task_service_pb.ts";
import { endOf, follow, statusName } from "../faults/follow.ts";
import { aliveOf, leavesNothing } from "../faults/traces.ts";
import { type TestDatabase, testDatabase } from "../support/database.ts";
import { OPEN_TO_CALLERS } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";

/** Milliseconds. A poll finds a change without a notification after half a second on average. */
const SOON = 400;
const SERIAL = 40;
const LIMIT = 3;

/** Script that reports if another one runs at the same time. */
const ALONE = `
mkdir $1/lock || echo overlap >>$1/overlaps
echo $SEMAPHORE_TASK_DETAILS_ID >>$1/runs
rmdir $1/lock`;
/** Script that records how many of its kind run, itself included; the first ones wait until the limit is reached. */
const COUNTED = `
touch $1/here.$$
until [ -e $1/full ] || [ "$(ls $1 | grep -c here)" -ge ${LIMIT} ]; do sleep 0.01; done
touch $1/full
ls $1 | grep -c here >>$1/counts
sleep 0.1
rm $1/here.$$`;
/** Script that prints a line for each file that appears in its folder. */
const ECHOES = `
echo ready
for i in 1 2 3 4 5 6 7 8 9 10; do
  until [ -e $1/ask.$i ]; do sleep 0.005; done
  echo $i
done
echo done >&2`;

let database: TestDatabase;
let [a, b]: TestService[] = [];
let scratch: string;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "signalman-two-"));
  mkdirSync(join(scratch, "scripts"));
  const scripts = { alone: ALONE, counted: COUNTED, echoes: ECHOES, waits: "echo ready; sleep 1000" };
  for (const [name, text] of Object.entries(scripts)) writeFileSync(join(scratch, "scripts", name), text);
  database = await testDatabase();
  const start = () => startService({ databaseUrl: database.url, env: { SIGNALMAN_MAX_PARALLEL_TASKS: "6" } });
  [a, b] = await Promise.all([start(), start()]);
  for (const [project, maxParallelTasks] of [
    ["wide", 0],
    ["narrow", LIMIT],
  ] as const) {
    await a.client(CatalogService).applyCatalog({
      catalog: {
        project: { name: project, maxParallelTasks },
        repositories: [{ name: "scripts", url: join(scratch, "scripts") }],
        templates: Object.keys(scripts).map((name) => ({
          name,
          ...OPEN_TO_CALLERS,
          app: "bash",
          repository: "scripts",
          path: name,
          allowOverrideArguments: true,
          allowParallelTasks: name !== "alone",
        })),
      },
    });
  }
});
afterAll(async () => {
  await a?.[Symbol.asyncDispose]();
  await b?.[Symbol.asyncDispose]();
  await database.drop();
  rmSync(scratch, { recursive: true, force: true });
});

const servers = () => [a as TestService, b as TestService] as const;

async function run(on: TestService, template: string, folder = "", project = "wide"): Promise<Task> {
  const { task } = await on.client(TaskService).runTask({
    template: `projects/${project}/templates/${template}`,
    arguments: [folder],
  });
  if (!task) throw new Error("RunTask returned no task");
  return task;
}

const get = async (on: TestService, { name }: Task) => {
  const { task } = await on.client(TaskService).getTask({ name });
  if (!task) throw new Error("GetTask returned no task");
  return task;
};

/** Kills a task with force; repeats the call while a loaded machine makes the database seem away. */
async function kill(on: TestService, { name }: Task): Promise<KillOutcome> {
  for (;;) {
    try {
      return (await on.client(TaskService).killTask({ name, force: true })).outcome;
    } catch (error) {
      if (ConnectError.from(error).code !== Code.Unavailable) throw error;
    }
  }
}

function folderOf(name: string): string {
  mkdirSync(join(scratch, name));
  return join(scratch, name);
}

const linesOf = (path: string) => readFileSync(path, "utf8").trimEnd().split("\n");

/** Resolves to the server that runs the task and the one that does not. */
async function sides(task: Task): Promise<{ owner: TestService; other: TestService }> {
  const [one, two] = servers();
  const { node } = await get(one, task);
  const isOne = readFileSync(join(one.dataDir, "node.id"), "utf8").trim() === node;
  return isOne ? { owner: one, other: two } : { owner: two, other: one };
}

test("tasks are distributed to two servers", async () => {
  const [one, two] = servers();
  const tasks = await Promise.all(Array.from({ length: 8 }, (_, i) => run(i % 2 ? one : two, "waits")));
  const watchers = tasks.map((task) => follow(two, task.name));
  await Promise.all(watchers.map((watcher) => watcher.says("ready")));
  const nodes = await Promise.all(tasks.map(async (task) => (await get(one, task)).node));
  expect(new Set(nodes).size).toBe(2);
  await Promise.all(tasks.map((task) => kill(two, task)));
  for (const watcher of watchers) expect(endOf(await watcher.ended).status).toBe("STOPPED");
});

test("a watch on the other server receives the same messages, equally soon", async () => {
  const folder = folderOf("echoes");
  const task = await run(servers()[0], "echoes", folder);
  using first = follow(servers()[0], task.name);
  await first.says("ready");
  const { owner, other } = await sides(task);
  const [whole, same] = [collect(owner, task), collect(other, task)];
  using near = follow(owner, task.name);
  using far = follow(other, task.name);
  await Promise.all([near.says("ready"), far.says("ready")]);
  const lags: number[] = [];
  for (let i = 1; i <= 10; i++) {
    writeFileSync(join(folder, `ask.${i}`), "");
    const heard = (watcher: typeof far) => watcher.says(`\n${i}\n`).then(() => performance.now());
    const [here, there] = await Promise.all([heard(near), heard(far)]);
    lags.push(there - here);
  }
  expect(await same).toEqual(await whole);
  expect(lags.sort((x, y) => x - y)[5]).toBeLessThan(SOON);
});

/** Returns all events, without the parts that depend on how lines were batched. */
async function collect(on: TestService, { name }: Task): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { event } of on.client(TaskService).watchTask({ name })) found.push(...flat(event));
  return found;
}

function flat(event: WatchTaskResponse["event"]): unknown[] {
  if (event.case === "log") {
    return event.value.lines.map(({ seq, stream, content, partial, time }) => {
      return [seq, stream, Buffer.from(content).toString(), partial, time && timestampMs(time)];
    });
  }
  if (event.case === "status")
    return [[statusName(event.value.status), event.value.afterSeq, event.value.end]];
  return event.case === "end" ? [[event.value.lastSeq, event.value.task]] : [];
}

test("a kill reaches the server that runs the task", async () => {
  const task = await run(servers()[0], "waits");
  using watcher = follow(servers()[1], task.name);
  await watcher.says("ready");
  const { owner, other } = await sides(task);
  expect(await kill(other, task)).toBe(KillOutcome.KILL_REQUESTED);
  expect(endOf(await watcher.ended)).toMatchObject({ status: "STOPPED", signal: "SIGKILL" });
  expect(aliveOf(task)).toEqual([]);
  await leavesNothing(owner, task);
});

test("a second server on the same data folder is refused with the pid of the first", async () => {
  const [one] = servers();
  const second = startService({ dataDir: one.dataDir, databaseUrl: database.url });
  await expect(second).rejects.toThrow(
    new RegExp(`${one.dataDir}.*${one.process.pid}|${one.process.pid}.*${one.dataDir}`),
  );
});

test.concurrent("tasks of a template without parallel runs never overlap, and each runs once", {
  timeout: 600_000,
}, async () => {
  const folder = folderOf("alone");
  const tasks = await Promise.all(
    Array.from({ length: SERIAL }, (_, i) => run(servers()[i % 2] as TestService, "alone", folder)),
  );
  for (const task of tasks) expect(endOf(await follow(servers()[0], task.name).ended).status).toBe("SUCCESS");
  const ids = linesOf(join(folder, "runs"));
  expect(ids.toSorted()).toEqual(tasks.map(({ name }) => name.split("/").at(-1)).sort());
  expect(() => readFileSync(join(folder, "overlaps"))).toThrow("ENOENT");
});

test.concurrent("a project runs tasks up to its limit over all servers", {
  timeout: 600_000,
}, async () => {
  const folder = folderOf("counted");
  const tasks = await Promise.all(
    Array.from({ length: 12 }, (_, i) => run(servers()[i % 2] as TestService, "counted", folder, "narrow")),
  );
  for (const task of tasks) expect(endOf(await follow(servers()[0], task.name).ended).status).toBe("SUCCESS");
  const counts = linesOf(join(folder, "counts")).map(Number);
  expect(counts).toHaveLength(12);
  expect(Math.max(...counts)).toBe(LIMIT);
});
