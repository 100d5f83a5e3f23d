import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TemplateType } from "../../../gen/signalman/v1/template_pb.ts";
import { socketOptions } from "../../../src/embedded/socket-url.ts";
import { applyDemo, runDemo } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { endOf, follow } from "../follow.ts";
import { aliveOf, idOf, taskFolder } from "../traces.ts";

const BUILDS = 40;
const { BUILD, DEPLOY } = TemplateType;

let service: TestService;
let sql: postgres.Sql;
beforeAll(async () => {
  service = await startService({ env: { NODE_COMPILE_CACHE: join(tmpdir(), "signalman-test-cache") } });
  sql = postgres(service.databaseUrl, { ...socketOptions(service.databaseUrl), max: 1, onnotice() {} });
  const allow = { allowParallelTasks: true };
  await applyDemo(service, {
    build: { ...allow, type: BUILD, startVersion: "1", script: "sleep 0.$((RANDOM % 10))" },
    deploy: { ...allow, type: DEPLOY, buildTemplate: "build", autorun: true, script: "true" },
    endless: { ...allow, type: BUILD, script: "sleep 1000" },
    never: { ...allow, type: DEPLOY, buildTemplate: "endless", autorun: true, script: "true" },
  });
});
afterAll(async () => {
  await sql.end();
  await service[Symbol.asyncDispose]();
});

test("servers that die around the ends of builds: each success starts one deploy, and only one", {
  timeout: 120_000,
}, async () => {
  const builds = await Promise.all(Array.from({ length: BUILDS }, () => runDemo(service, "build")));
  const seed = Math.floor(Math.random() * 1000);
  for (let life = 0; life < 10; life++) {
    await delay(((seed + life * 617) % 1000) / 2);
    await service.kill("SIGKILL");
    await service.start();
  }
  for (const { name } of builds) {
    using watcher = follow(service, name);
    expect(endOf(await watcher.ended), `seed ${seed}`).toMatchObject({ status: "SUCCESS" });
  }
  const deploys = await sql`SELECT build_task, incoming_version FROM tasks WHERE template = 'deploy'`;
  const wanted = builds.map((build) => `${idOf(build)} ${build.version}`);
  expect(
    deploys.map(({ build_task, incoming_version }) => `${build_task} ${incoming_version}`).sort(),
    `seed ${seed}`,
  ).toEqual(wanted.sort());
});

test("nothing is started after a build that got lost", async () => {
  const task = await runDemo(service, "endless");
  using watcher = follow(service, task.name);
  await watcher.reaches("RUNNING");
  await service.kill("SIGKILL");
  // Simulates a power cut: another boot id, and no record of the task on the disk.
  for (const pid of aliveOf(task)) process.kill(pid, "SIGKILL");
  await rm(taskFolder(service, task), { recursive: true, force: true, maxRetries: 5 });
  await sql`UPDATE tasks SET boot_id = 'another' WHERE id = ${idOf(task)}`;
  await service.start();
  expect(endOf(await watcher.ended)).toMatchObject({ status: "ERROR", reason: "LOST" });
  expect(await sql`SELECT 1 FROM tasks WHERE template = 'never'`).toHaveLength(0);
});
