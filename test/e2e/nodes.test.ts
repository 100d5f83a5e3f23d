import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NodeService, NodeState } from "../../gen/signalman/v1/node_pb.ts";
import { EndReason, type Task, TaskStatus, WaitReason } from "../../gen/signalman/v1/task_pb.ts";
import { LogFormat, TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { cli } from "../cli/cli.ts";
import { aliveOf, until } from "../faults/traces.ts";
import { openSql } from "../rpc/support.ts";
import { type TestDatabase, testDatabase } from "../support/database.ts";
import { applyDemo, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";

let database: TestDatabase;
/** `a` answers calls and runs one task at a time, `b` only answers calls. */
let a: TestService;
let b: TestService;
beforeAll(async () => {
  database = await testDatabase();
  const start = (env: Record<string, string>) => startService({ databaseUrl: database.url, env });
  a = await start({ SIGNALMAN_MAX_PARALLEL_TASKS: "1", SIGNALMAN_TAGS: "eu" });
  b = await start({ SIGNALMAN_ROLES: "api" });
  await applyDemo(a, {
    serial: "echo begun; exec sleep 600",
    late: 'echo early; until [ -e "$GO" ]; do sleep 0.01; done; echo "late $TOKEN"; echo even later; exec sleep 600',
    other: "echo ran",
    here: { script: "echo ran", nodeTags: ["eu"] },
    elsewhere: { script: "echo ran", nodeTags: ["eu", "gpu"] },
  });
});
afterAll(async () => {
  await Promise.all([a, b].map((service) => service?.[Symbol.asyncDispose]()));
  await database?.drop();
});

const get = async (name: string): Promise<Task> => {
  const { task } = await b.client(TaskService).getTask({ name });
  if (!task) throw new Error(`There is no ${name}`);
  return task;
};
const waitOf = async (name: string) => (await get(name)).waitingFor?.reason;
const nodes = async () => (await b.client(NodeService).listNodes({})).nodes;
const nodeOfA = async () => {
  const node = (await nodes()).find(({ slots }) => slots === 1);
  if (!node) throw new Error("There is no node of the first server");
  return node;
};
const running = async (template: string) => {
  const { name } = await runDemo(b, template);
  await until(async () => (await get(name)).status === TaskStatus.RUNNING);
  return name;
};

describe("two servers of one database", () => {
  test("are listed with their state and their tasks", async () => {
    const found = await nodes();
    expect(found).toHaveLength(2);
    expect(await nodeOfA()).toMatchObject({ hostName: hostname(), state: NodeState.READY, tags: ["eu"] });
    // The first heartbeat comes before the port is open.
    await until(async () => (await nodeOfA()).address === a.url);
    const { stdout } = await cli(["nodes"], { server: b.url });
    expect(stdout).toMatch(/^NODE +MACHINE +STATE +TASKS +SEEN +VERSION +NOTE\n/);
    expect(stdout).toMatch(/ READY +0\/1 /);
    expect(stdout).toMatch(/ READY +0\/0 .* api only\n/);
  });

  test("say what a waiting task waits for", async () => {
    const first = await running("serial");
    const second = (await runDemo(b, "serial")).name;
    expect((await get(second)).waitingFor).toMatchObject({ reason: WaitReason.TEMPLATE_BUSY, task: first });
    const other = (await runDemo(b, "other")).name;
    expect(await waitOf(other)).toBe(WaitReason.NO_SLOT);
    const { stdout } = await cli(["list", "demo"], { server: b.url });
    expect(stdout).toContain("waits: all slots for tasks are used (ready nodes: 1, slots: 1)");
    for await (const { event } of b.client(TaskService).watchTask({ name: second }))
      if (event.case === "snapshot") {
        expect(event.value.task?.waitingFor?.reason).toBe(WaitReason.TEMPLATE_BUSY);
        break;
      }
    await b.client(TaskService).killTasks({ template: "projects/demo/templates/serial" });
    await watchToEnd(b, other);
    expect((await get(other)).status).toBe(TaskStatus.SUCCESS);
  });

  test("run a task of a template with tags only where all of them are", async () => {
    const { name } = await runDemo(b, "elsewhere");
    await watchToEnd(b, (await runDemo(b, "here")).name);
    const { waitingFor } = await get(name);
    expect(waitingFor).toMatchObject({ reason: WaitReason.NO_NODE });
    expect(waitingFor?.message).toContain("has the tags eu, gpu");
    await b.client(TaskService).killTask({ name });
  });

  test("start no task on a drained node, and say so", async () => {
    const node = (await nodeOfA()).name;
    const drained = await cli(["drain", node.slice(0, 20)], { server: b.url });
    expect(drained).toMatchObject({ code: 0, stdout: `${node} is DRAINING; running tasks: 0\n` });
    await until(() => a.log().includes("drained: starts no more tasks"));
    const { name } = await runDemo(b, "other");
    expect(await waitOf(name)).toBe(WaitReason.NO_NODE);
    expect(await cli(["undrain", node], { server: b.url })).toMatchObject({ code: 0 });
    await watchToEnd(b, name);
  });

  test("refuse an argument that names no node or several", async () => {
    const two = await cli(["drain", hostname()], { server: b.url });
    expect(two).toMatchObject({ code: 2 });
    expect(two.stderr).toContain("names 2 nodes; expected id of the node");
    expect((await cli(["nodes", "forget", "nowhere"], { server: b.url })).stderr).toContain("names no node");
  });
});

/** Ends a running task of `a`, which was killed, as LOST, as another server does after the lost timeout. */
async function lose(name: string): Promise<void> {
  const { declareLost } = await import("../../src/store/tasks/expiry.ts");
  const { openDatabase } = await import("../../src/store/postgres/database.ts");
  const other = openDatabase({ url: database.url, max: 1, name: "test", deadlineMs: 15_000 });
  const sql = openSql({ databaseUrl: database.url });
  await sql`UPDATE tasks SET lease_expires = now() - interval '1 hour' WHERE node IS NOT NULL`;
  await sql`UPDATE nodes SET heartbeat_time = now() - interval '1 hour' WHERE slots = 1`;
  await declareLost(other, (await nodes()).find(({ slots }) => slots === 0)?.name.slice(6) ?? "", 60_000);
  await sql.end();
  await other.close();
  expect((await get(name)).end?.reason).toBe(EndReason.LOST);
}

describe("after a server died with a running task that became LOST", () => {
  test("the template waits until the server is back and has killed the task's program", async () => {
    const lost = await running("serial");
    await a.kill("SIGKILL");
    expect(aliveOf({ name: lost })).not.toEqual([]);
    await lose(lost);
    const next = (await runDemo(b, "serial")).name;
    expect((await get(next)).waitingFor).toMatchObject({ reason: WaitReason.TEMPLATE_BLOCKED, task: lost });
    await expect(b.client(TaskService).deleteTask({ name: lost })).rejects.toThrow("may still run on node");
    expect(await nodeOfA()).toMatchObject({ state: NodeState.LOST, lostTasks: 1 });
    await a.start();
    await until(async () => (await get(next)).status === TaskStatus.RUNNING);
    expect(aliveOf({ name: lost })).toEqual([]);
    expect((await nodeOfA()).lostTasks).toBe(0);
    await b.client(TaskService).killTask({ name: next, force: true });
    await watchToEnd(b, next);
  });

  test("the template waits until the node is removed, and the node may come back afterwards", async () => {
    const lost = await running("serial");
    const node = (await nodeOfA()).name;
    const early = await cli(["nodes", "forget", node], { server: b.url });
    expect(early).toMatchObject({ code: 2 });
    expect(early.stderr).toContain("is running. Stop its server first");
    await a.kill("SIGKILL");
    await lose(lost);
    const next = (await runDemo(b, "serial")).name;
    expect(await waitOf(next)).toBe(WaitReason.TEMPLATE_BLOCKED);
    expect(await cli(["nodes", "forget", node], { server: b.url })).toMatchObject({ code: 0 });
    expect(await waitOf(next)).toBe(WaitReason.NO_NODE);
    await a.start();
    await until(async () => (await get(next)).status === TaskStatus.RUNNING);
    expect(aliveOf({ name: lost })).toEqual([]);
    await b.client(TaskService).killTask({ name: next, force: true });
    await watchToEnd(b, next);
  });
});

test("a task of a server that is away can be abandoned, and the server kills its program before it starts the next one", async () => {
  const name = await running("serial");
  const short = name.replace("projects/", "").replace("/tasks", "");
  const next = (await runDemo(b, "serial")).name;
  const early = await cli(["kill", "--abandon", short], { server: b.url });
  expect(early).toMatchObject({ code: 2 });
  expect(early.stderr).toContain("is running. Kill it by KillTask");
  await a.kill("SIGKILL");
  const sql = openSql({ databaseUrl: database.url });
  await sql`UPDATE nodes SET heartbeat_time = now() - interval '1 minute' WHERE slots = 1`;
  await sql.end();
  const killed = await cli(["kill", short], { server: b.url });
  expect(killed).toMatchObject({ code: 0, stdout: `${short} asked to stop (STOPPING)\n` });
  expect(killed.stderr).toContain(`${short}: the server is away (${(await nodeOfA()).name})`);
  expect(killed.stderr).toContain(`signalman kill --abandon ${short}`);
  const abandoned = await cli(["kill", "--abandon", "--reason", "unplugged", short], { server: b.url });
  expect(abandoned).toMatchObject({ code: 0, stdout: `${short} abandoned (ERROR)\n` });
  const end = { reason: EndReason.LOST, message: "Abandoned while its server was away: unplugged" };
  expect((await get(name)).end).toMatchObject(end);
  expect(await waitOf(next)).toBe(WaitReason.NO_NODE);
  expect(aliveOf({ name })).not.toEqual([]);
  await a.start();
  await until(async () => (await get(next)).status === TaskStatus.RUNNING);
  expect(aliveOf({ name })).toEqual([]);
  expect((await get(name)).end).toMatchObject(end);
  const again = await cli(["kill", "--abandon", short], { server: b.url });
  expect(again).toMatchObject({ code: 0, stdout: `${short} had ended already (ERROR)\n` });
  await b.client(TaskService).killTask({ name: next, force: true });
  await watchToEnd(b, next);
});

test("output that a server still has of a LOST task when it is back is kept beside the log, with secrets masked", async () => {
  const go = join(a.dataDir, "go");
  const { name } = await runDemo(b, "late", {
    env: { GO: go },
    secretVariables: { TOKEN: "hunter2-hunter2" },
  });
  const short = name.replace("projects/", "").replace("/tasks", "");
  const read = async (late: boolean) =>
    Buffer.from(
      (await b.client(TaskService).readTaskLog({ name, late, format: LogFormat.TEXT })).text,
    ).toString();
  await until(async () => (await read(false)).includes("early\n"));
  await a.kill("SIGKILL");
  await lose(name);
  await writeFile(go, "");
  const spool = join(a.dataDir, "tasks", name.split("/").at(-1) ?? "", "spool/out");
  await until(() => readFileSync(spool, "utf8").includes("even later"));
  expect((await cli(["logs", "--late", short], { server: b.url })).stderr).toContain(
    "there are no late lines",
  );
  const log = await read(false);
  await a.start();
  await until(async () => (await read(true)) !== "");
  expect(await read(true)).toBe("late ***\neven later\n");
  expect(await read(false)).toBe(log);
  const { stdout } = await cli(["logs", "--late", "--tail", "1", short], { server: b.url });
  expect(stdout).toBe("even later\n");
  const { lines, lastSeq, complete } = await b.client(TaskService).readTaskLog({ name, late: true });
  expect(lines.map(({ seq }) => Number(seq))).toEqual([1, 2]);
  expect([Number(lastSeq), complete]).toEqual([2, true]);
  expect(aliveOf({ name })).toEqual([]);
});
