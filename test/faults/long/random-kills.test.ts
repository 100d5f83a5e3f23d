import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import type { Task } from "../../../gen/signalman/v1/task_pb.ts";
import { applyDemo, runDemo } from "../../support/demo.ts";
import { SERVE } from "../../support/program.ts";
import { startService, type TestService } from "../../support/service.ts";
import { BREAKS, endOf, follow } from "../follow.ts";
import { idOf, leavesNothing } from "../traces.ts";

const TASKS = 50;
const LIVES = 8;
const SCRIPT = `
echo $SEMAPHORE_TASK_DETAILS_ID >>$1/runs
echo begin
sleep 0.$((RANDOM % 3))$((RANDOM % 10))
echo end`;
const CACHE = { NODE_COMPILE_CACHE: join(tmpdir(), "signalman-test-cache") };

test("servers that die at random moments, in their start too: each task runs once and ends once", {
  timeout: 600_000,
}, async () => {
  const scratch = mkdtempSync(join(tmpdir(), "signalman-random-"));
  await using service = await startService({ env: CACHE });
  const template = { script: SCRIPT, allowParallelTasks: true, allowOverrideArguments: true };
  await applyDemo(service, { short: template });
  const readyMs = await timeToReady(service);

  const made = Promise.all(Array.from({ length: TASKS }, () => runPatiently(service, scratch)));
  const seed = Math.floor(Math.random() * 1000);
  for (let life = 0; life < LIVES; life++)
    await liveShortly(service, readyMs * (0.7 + ((seed + life * 617) % 1000) / 1000));
  await service.start();

  const tasks = await made;
  for (const task of tasks) {
    using watcher = follow(service, task.name);
    expect(endOf(await watcher.ended), `seed ${seed}`).toMatchObject({ status: "SUCCESS", exitCode: 0 });
    expect(watcher.text()).toBe("begin\nend\n");
    expect(watcher.statuses.filter((status) => status === "SUCCESS")).toHaveLength(1);
    expect(watcher.statuses.filter((status) => status === "RUNNING")).toHaveLength(1);
    await leavesNothing(service, task);
  }
  const runs = readFileSync(join(scratch, "runs"), "utf8").trimEnd().split("\n");
  expect(runs.sort(), `seed ${seed}`).toEqual(tasks.map(idOf).sort());
  rmSync(scratch, { recursive: true });
});

/** Returns the milliseconds until a server is ready; the server is killed then. */
async function timeToReady(service: TestService): Promise<number> {
  await service.kill("SIGKILL");
  const begun = performance.now();
  await service.start();
  const ready = performance.now() - begun;
  await service.kill("SIGKILL");
  return ready;
}

/** Starts a server and kills it after so many milliseconds, whether it is ready or not. */
async function liveShortly(service: TestService, ms: number): Promise<void> {
  const env = {
    PATH: process.env.PATH,
    DATABASE_URL: service.databaseUrl,
    SIGNALMAN_DATA_DIR: service.dataDir,
    SIGNALMAN_LISTEN: new URL(service.url).host,
    SIGNALMAN_NO_AUTH: "true",
    ...CACHE,
  };
  const server = spawn(process.execPath, [SERVE], { env, stdio: "ignore" });
  await delay(ms);
  server.kill("SIGKILL");
  await once(server, "exit");
}

/** Calls RunTask as a client should: repeats it with the same id until there is a response. */
async function runPatiently(service: TestService, folder: string): Promise<Task> {
  const requestId = randomUUID();
  for (;;) {
    try {
      return await runDemo(service, "short", { requestId, arguments: [folder] });
    } catch (error) {
      if (!BREAKS.has(ConnectError.from(error).code)) throw error;
      await delay(200);
    }
  }
}
