import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CatalogService } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import type { Task } from "../../../gen/signalman/v1/task_pb.ts";
import { KillOutcome, TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { socketOptions } from "../../../src/embedded/socket-url.ts";
import { testDatabase } from "../../support/database.ts";
import { OPEN_TO_CALLERS } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { endOf, follow } from "../follow.ts";
import { openProxy } from "../proxy.ts";
import { slowRepository } from "../slow-repository.ts";
import { aliveOf, idOf, leavesNothing, taskFolder, until } from "../traces.ts";
import { expectWhole, stopWriter, WRITER, WRITTEN } from "../writer.ts";

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "signalman-paused-"));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Creates a separate database and a folder for scripts; `expire` lets the leases expire. */
async function setStage(name: string) {
  await using stack = new AsyncDisposableStack();
  const { url, drop } = await testDatabase();
  stack.defer(drop);
  const sql = postgres(url, { ...socketOptions(url), max: 1, onnotice() {} });
  stack.defer(() => sql.end());
  const folder = join(scratch, name);
  mkdirSync(folder);
  const owned = stack.move();
  return {
    url,
    sql,
    folder,
    /** Moves the leases into the past. */
    expire: () =>
      sql`UPDATE tasks SET lease_expires = clock_timestamp() - interval '5 s' WHERE lease_expires IS NOT NULL`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Applies a template for each script; `slow` uses a repository whose checkout waits. */
async function applyScripts(on: TestService, folder: string, scripts: Record<string, string>) {
  const slow = slowRepository(folder, scripts);
  mkdirSync(join(folder, "scripts"));
  for (const [name, text] of Object.entries({ ...scripts, writer: WRITER.script }))
    writeFileSync(join(folder, "scripts", name), text);
  const allow = { allowOverrideArguments: true, ...OPEN_TO_CALLERS };
  await on.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "demo" },
      repositories: [
        { name: "scripts", url: join(folder, "scripts") },
        { name: "slow", url: slow.url },
      ],
      templates: [
        { name: "writer", app: "python", repository: "scripts", path: "writer", ...allow },
        ...Object.keys(scripts).map((name) => ({
          name,
          app: "bash",
          repository: "scripts",
          path: name,
          ...allow,
        })),
        ...Object.keys(scripts).map((name) => ({
          name: `slow-${name}`,
          app: "bash",
          repository: "slow",
          path: name,
          ...allow,
        })),
      ],
    },
  });
  return slow;
}

async function run(on: TestService, template: string, args: string[]): Promise<Task> {
  const { task } = await on
    .client(TaskService)
    .runTask({ template: `projects/demo/templates/${template}`, arguments: args });
  if (!task) throw new Error("RunTask returned no task");
  return task;
}

/** Script that reports when it runs, and waits for a file. */
const WAITS = "echo $SEMAPHORE_TASK_DETAILS_ID >>$1/runs; until [ -e $1/go ]; do sleep 0.01; done; echo done";

test.concurrent("a server that was paused for longer than a lease does no harm when it comes back", {
  timeout: 600_000,
}, async () => {
  await using stage = await setStage("paused");
  const { folder } = stage;
  await using a = await startService({ databaseUrl: stage.url });
  const slow = await applyScripts(a, folder, { waits: WAITS });
  const printing = await run(a, "writer", [folder]);
  using printed = follow(a, printing.name);
  await printed.counts(100);
  const starting = await run(a, "slow-waits", [folder]);
  await slow.begins();
  await using b = await startService({ databaseUrl: stage.url });

  a.process.kill("SIGSTOP");
  await stage.expire();
  using started = follow(b, starting.name);
  await slow.begins(2);
  slow.release();
  await until(() => existsSync(join(folder, "runs")));
  a.process.kill("SIGCONT");

  await until(() => !existsSync(taskFolder(a, starting)));
  writeFileSync(join(folder, "go"), "");
  expect(endOf(await started.ended)).toMatchObject({ status: "SUCCESS" });
  expect(started.text()).toBe("done\n");
  expect(readFileSync(join(folder, "runs"), "utf8")).toBe(`${idOf(starting)}\n`);
  await leavesNothing(b, starting);

  await stopWriter(folder);
  expect(endOf(await printed.ended)).toMatchObject(WRITTEN);
  await expectWhole(printed, folder);
  await leavesNothing(a, printing);
});

test.concurrent("a server that comes back to a task that it had not started, and starts it anew, does so once", {
  timeout: 600_000,
}, async () => {
  await using stage = await setStage("own");
  const { folder, sql } = stage;
  await using a = await startService({ databaseUrl: stage.url });
  const slow = await applyScripts(a, folder, { waits: WAITS });
  const task = await run(a, "slow-waits", [folder]);
  using watcher = follow(a, task.name);
  await slow.begins();
  a.process.kill("SIGSTOP");
  // Does what another server's rescue does.
  await sql`
    WITH back AS (
      UPDATE tasks SET status = 'WAITING', node = NULL, lease_expires = NULL, lease_epoch = lease_epoch + 1
      WHERE id = ${idOf(task)} RETURNING id, lease_epoch)
    UPDATE task_heads h SET lease_epoch = back.lease_epoch FROM back WHERE h.task_id = back.id`;
  a.process.kill("SIGCONT");
  await slow.begins(2);
  slow.release();
  writeFileSync(join(folder, "go"), "");
  expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
  expect(readFileSync(join(folder, "runs"), "utf8")).toBe(`${idOf(task)}\n`);
  await leavesNothing(a, task);
});

test.concurrent("a server that falls silent while it claims holds the others up for seconds, not for good", {
  timeout: 600_000,
}, async () => {
  await using stage = await setStage("silent");
  await using proxy = await openProxy(stage.url);
  await using a = await startService({ databaseUrl: proxy.url });
  await applyScripts(a, stage.folder, { waits: WAITS });
  // Key of the advisory lock of claims, as it appears in the query.
  await proxy.freezeBehind(/5410252/);
  await using b = await startService({ databaseUrl: stage.url });
  const task = await run(b, "waits", [stage.folder]);
  using watcher = follow(b, task.name);
  await watcher.reaches("RUNNING");
  writeFileSync(join(stage.folder, "go"), "");
  expect(endOf(await watcher.ended).status).toBe("SUCCESS");
  proxy.heal();
});

test.concurrent("a task killed while it was being prepared by a server that is gone is STOPPED by another", {
  timeout: 600_000,
}, async () => {
  await using stage = await setStage("gone");
  const a = await startService({ databaseUrl: stage.url });
  const slow = await applyScripts(a, stage.folder, { waits: WAITS });
  const task = await run(a, "slow-waits", [stage.folder]);
  await slow.begins();
  await using b = await startService({ databaseUrl: stage.url });
  using watcher = follow(b, task.name);
  await a.kill("SIGKILL");
  const { outcome } = await b.client(TaskService).killTask({ name: task.name });
  expect(outcome).toBe(KillOutcome.KILL_REQUESTED);
  await stage.expire();
  expect(endOf(await watcher.ended)).toMatchObject({ status: "STOPPED", reason: "STOPPED_BY_USER" });
  expect(watcher.statuses).toEqual(["WAITING", "STARTING", "STOPPING", "STOPPED"]);
  await a.start();
  await until(() => aliveOf(task).length === 0);
  await leavesNothing(a, task);
  await a[Symbol.asyncDispose]();
});

test.concurrent("a claim whose answer was lost is put back, or stopped if a caller killed the task", {
  timeout: 600_000,
}, async () => {
  await using stage = await setStage("lost");
  const { folder, sql } = stage;
  await using a = await startService({ databaseUrl: stage.url });
  await applyScripts(a, folder, { waits: WAITS });
  const first = await run(a, "waits", [folder]);
  using firstWatcher = follow(a, first.name);
  await firstWatcher.reaches("RUNNING");
  const [second, third] = [await run(a, "waits", [folder]), await run(a, "waits", [folder])];
  const node = readFileSync(join(a.dataDir, "node.id"), "utf8").trim();
  for (const task of [second, third]) {
    await sql`
      WITH taken AS (
        UPDATE tasks SET status = 'STARTING', node = ${node}, lease_epoch = lease_epoch + 1,
               lease_expires = clock_timestamp() + interval '30 s'
        WHERE id = ${idOf(task)} RETURNING id, lease_epoch)
      UPDATE task_heads h SET lease_epoch = taken.lease_epoch FROM taken WHERE h.task_id = taken.id`;
  }
  await a.client(TaskService).killTask({ name: third.name });
  await sql`UPDATE tasks SET lease_expires = clock_timestamp() - interval '5 s' WHERE id IN (${idOf(second)}, ${idOf(third)})`;
  expect(endOf(await follow(a, third.name).ended)).toMatchObject({ status: "STOPPED" });
  writeFileSync(join(folder, "go"), "");
  for (const task of [first, second]) expect(endOf(await follow(a, task.name).ended).status).toBe("SUCCESS");
  expect(readFileSync(join(folder, "runs"), "utf8")).toBe(`${idOf(first)}\n${idOf(second)}\n`);
});
