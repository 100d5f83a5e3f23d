import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "../../gen/health/v1/health_pb.ts";
import type { Task } from "../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { startEmbeddedPostgres } from "../../src/embedded/postgres.ts";
import { socketOptions } from "../../src/embedded/socket-url.ts";
import { type Database, openDatabase } from "../../src/store/postgres/database.ts";
import { declareLost } from "../../src/store/tasks/expiry.ts";
import { guardedFolder } from "../embedded/guarded-folder.ts";
import { type TestDatabase, testDatabase } from "../support/database.ts";
import { applyDemo, runDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { endOf, follow } from "./follow.ts";
import { type CutProxy, openProxy } from "./proxy.ts";
import { aliveOf, idOf, leavesNothing, taskFolder, until } from "./traces.ts";
import { expectWhole, stopWriter, WRITER, WRITTEN, writtenSoFar } from "./writer.ts";

const AWAY_MS = 20_000;

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "signalman-away-"));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const SCRIPTS = { writer: WRITER, quick: "echo ran", sleeper: "sleep 1000" };

interface Stage extends AsyncDisposable {
  database: TestDatabase;
  proxy: CutProxy;
  service: TestService;
  sql: postgres.Sql;
  direct: Database;
}

/** Starts a server that reaches its database through a proxy; `sql` and `direct` bypass it. */
async function setStage(): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const database = await testDatabase();
  stack.defer(() => database.drop());
  const proxy = stack.use(await openProxy(database.url));
  const sql = postgres(database.url, { ...socketOptions(database.url), max: 1, onnotice() {} });
  stack.defer(() => sql.end());
  const direct = openDatabase({ url: database.url, max: 1, name: "test", deadlineMs: 10_000 });
  stack.defer(() => direct.close());
  const service = stack.use(await startService({ databaseUrl: proxy.url }));
  await applyDemo(service, SCRIPTS);
  const owned = stack.move();
  return { database, proxy, service, sql, direct, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function startWriter(service: TestService, name: string) {
  const folder = join(scratch, name);
  mkdirSync(folder);
  const task = await runPatiently(service, { arguments: [folder], requestId: randomUUID() });
  const watcher = follow(service, task.name);
  await watcher.counts(100);
  return { task, watcher, folder };
}

/** Calls RunTask as a client should: repeats it with the same request id while the service is UNAVAILABLE. */
async function runPatiently(service: TestService, request: Parameters<typeof runDemo>[2]): Promise<Task> {
  for (;;) {
    try {
      return await runDemo(service, "writer", request);
    } catch (error) {
      if (ConnectError.from(error).code !== Code.Unavailable) throw error;
    }
  }
}

/** Expects that every kind of call fails soon with UNAVAILABLE. */
async function expectUnavailable(service: TestService, name: string): Promise<void> {
  const client = service.client(TaskService);
  const begun = performance.now();
  const answers = await Promise.allSettled([
    client.getTask({ name }),
    client.listTasks({ parent: "projects/demo" }),
    client.readTaskLog({ name }),
    client.runTask({ template: "projects/demo/templates/quick" }),
    client.killTask({ name }),
    client.watchTask({ name })[Symbol.asyncIterator]().next(),
  ]);
  const codes = answers.map((a) => (a.status === "rejected" ? Code[ConnectError.from(a.reason).code] : "OK"));
  expect(codes).toEqual(codes.map(() => "Unavailable"));
  expect(performance.now() - begun).toBeLessThan(AWAY_MS);
}

async function* health(service: TestService, signal: AbortSignal) {
  for await (const { status } of service.client(Health).watch({}, { signal })) yield status;
}

test.concurrent("while the database is away for 20 s, tasks and their time limits go on, and nothing is lost", {
  timeout: 600_000,
}, async () => {
  await using stage = await setStage();
  const { service, proxy } = stage;
  const { task, watcher, folder } = await startWriter(service, "cut");
  const late = await runDemo(service, "sleeper", { runTimeout: { seconds: 3n } });
  using lateWatcher = follow(service, late.name);
  await lateWatcher.reaches("RUNNING");
  const over = new AbortController();
  const states = health(service, over.signal);
  expect((await states.next()).value).toBe(Serving.SERVING);

  proxy.cut();
  const back = delay(AWAY_MS);
  await expectUnavailable(service, task.name);
  expect((await states.next()).value).toBe(Serving.NOT_SERVING);
  await until(() => aliveOf(late).length === 0);
  const before = await writtenSoFar(folder);
  await back;
  expect(await writtenSoFar(folder)).toBeGreaterThan(before);
  proxy.heal();

  expect((await states.next()).value).toBe(Serving.SERVING);
  over.abort();
  expect(endOf(await lateWatcher.ended)).toMatchObject({ status: "ERROR", reason: "RUN_TIMEOUT" });
  await stopWriter(folder);
  expect(endOf(await watcher.ended)).toMatchObject(WRITTEN);
  await expectWhole(watcher, folder);
  expect(watcher.breaks).toEqual([]);
  await leavesNothing(service, task);
});

test.concurrent("a network that is silent for longer than the lease, with another server, loses nothing", {
  timeout: 600_000,
}, async () => {
  await using stage = await setStage();
  const { service, proxy, sql, database } = stage;
  await using other = await startService({ databaseUrl: database.url });
  const { task, watcher, folder } = await startWriter(service, "frozen");

  proxy.freeze();
  const back = delay(AWAY_MS);
  await expectUnavailable(service, task.name);
  await expireLease(sql, task);
  await back;
  proxy.heal();
  await watcher.counts(watcher.lines + 100);
  await stopWriter(folder);
  expect(endOf(await watcher.ended)).toMatchObject(WRITTEN);
  await expectWhole(watcher, folder);
  expect(watcher.statuses).toEqual(["WAITING", "STARTING", "RUNNING", "ERROR"]);
  await leavesNothing(service, task);
  expect(existsSync(taskFolder(other, task))).toBe(false);

  // It would declare the next task lost before the test does.
  await other.kill();
  await endsWhatWasDeclaredLost(stage);
  await endsInTimeThoughTheDatabaseIsSilent(stage);
});

/** Moves the end of the task's lease into the past. */
async function expireLease(sql: postgres.Sql, task: Task): Promise<void> {
  await sql`UPDATE tasks SET lease_expires = clock_timestamp() - interval '5 s' WHERE id = ${idOf(task)}`;
}

async function endsWhatWasDeclaredLost({ service, proxy, sql, direct }: Stage): Promise<void> {
  const { task, watcher } = await startWriter(service, "lost");
  proxy.freeze();
  await expireLease(sql, task);
  expect(await declareLost(direct, randomUUID(), 1000)).toHaveLength(1);
  proxy.heal();
  await until(() => aliveOf(task).length === 0);
  const end = await watcher.ended;
  expect(endOf(end).reason).toBe("LOST");
  expect(end.lastSeq).toBe(BigInt(watcher.lines));
  await leavesNothing(service, task);
}

async function endsInTimeThoughTheDatabaseIsSilent({ service, proxy }: Stage): Promise<void> {
  const { task, watcher, folder } = await startWriter(service, "shutdown");
  proxy.freeze();
  expect(await service.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  proxy.heal();
  await service.start();
  await stopWriter(folder);
  expect(endOf(await watcher.ended)).toMatchObject(WRITTEN);
  await expectWhole(watcher, folder);
  await leavesNothing(service, task);
}

test.concurrent("an immediate shutdown and restart of the database while a task prints loses nothing", {
  timeout: 600_000,
}, async () => {
  await using folders = await guardedFolder();
  const first = await startEmbeddedPostgres(folders.path, { settings: { fsync: "off" } });
  await using proxy = await openProxy(first.url);
  await using service = await startService({ databaseUrl: proxy.url });
  await applyDemo(service, SCRIPTS);
  const { task, watcher, folder } = await startWriter(service, "restarted");
  process.kill(first.pid, "SIGQUIT");
  await first.died;
  await first.stop();
  await using second = await startEmbeddedPostgres(folders.path, { settings: { fsync: "off" } });
  proxy.lead(second.url);
  await watcher.counts(watcher.lines + 100);
  await stopWriter(folder);
  expect(endOf(await watcher.ended)).toMatchObject(WRITTEN);
  await expectWhole(watcher, folder);
  await leavesNothing(service, task);
  await service[Symbol.asyncDispose]();
});

test.concurrent("a log that cannot be stored ends its task with a reason", { timeout: 600_000 }, async () => {
  await using service = await startService();
  await applyDemo(service, SCRIPTS);
  const { task, watcher } = await startWriter(service, "refused");
  await using sql = ending(postgres(service.databaseUrl, { ...socketOptions(service.databaseUrl), max: 1 }));
  await sql.it`ALTER TABLE log_chunks ADD CONSTRAINT broken CHECK (first_seq < 0) NOT VALID`;
  const end = endOf(await watcher.ended);
  expect(end).toMatchObject({ status: "ERROR", reason: "LOST" });
  expect(end.message).toMatch(/log could not be stored/);
  expect(service.log()).toMatch(/violates check constraint/);
  await leavesNothing(service, task);
});

test.concurrent("a server that does not reach its database at its start reports it and ends", {
  timeout: 600_000,
}, async () => {
  const databaseUrl = "postgres://me:secret@127.0.0.1:1/tasks";
  const failure = await startService({ databaseUrl }).then(() => "it started", String);
  expect(failure).toMatch(/Cannot use PostgreSQL at 127.0.0.1:1\/tasks for 20 s: .*ECONNREFUSED/);
  expect(failure).not.toMatch(/secret/);
});

function ending(it: postgres.Sql) {
  return { it, [Symbol.asyncDispose]: () => it.end() };
}
