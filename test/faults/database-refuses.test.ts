import { mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "../../gen/health/v1/health_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/embedded/postgres.ts";
import { socketOptions } from "../../src/embedded/socket-url.ts";
import { superuserUrl } from "../embedded/connect.ts";
import { type GuardedFolder, guardedFolder } from "../embedded/guarded-folder.ts";
import { applyDemo, runDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { endOf, follow } from "./follow.ts";
import { leavesNothing, until } from "./traces.ts";
import { expectWhole, stopWriter, WRITER, WRITTEN, writtenSoFar } from "./writer.ts";

/*
 * A PostgreSQL that runs but refuses work, as during a fail-over, maintenance or a change of its settings. The
 * superuser makes the trouble; the server uses an ordinary role.
 */

let folders: GuardedFolder;
let server: EmbeddedPostgres;
let superuser: postgres.Sql;
let scratch: string;
beforeAll(async () => {
  folders = await guardedFolder();
  server = await startEmbeddedPostgres(folders.path, { settings: { fsync: "off" } });
  superuser = postgres(superuserUrl(server.url, folders.path), {
    ...socketOptions(server.url),
    max: 1,
    onnotice() {},
  });
  scratch = await mkdtemp(join(tmpdir(), "signalman-refuses-"));
}, 120_000);
afterAll(async () => {
  await superuser.end();
  await server.stop();
  await folders[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

const HBA = "local all all scram-sha-256\n";

async function setHba(rules: string): Promise<void> {
  writeFileSync(join(folders.path, "postgres/data/pg_hba.conf"), rules);
  await superuser`SELECT pg_reload_conf()`;
}

const endSessions = () =>
  superuser`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'signalman'`;

interface Trouble {
  begin(): Promise<unknown>;
  end(): Promise<unknown>;
  /** Whether the server's health shows the trouble, since it concerns logins or all writes. */
  isSeen: boolean;
}

let locks: postgres.ReservedSql | undefined;

/** Locks these tables until the trouble ends. */
const locked = (tables: string): Trouble => ({
  isSeen: false,
  async begin() {
    const sql = postgres(server.url, { ...socketOptions(server.url), max: 1, onnotice() {} });
    locks = await sql.reserve();
    await locks.unsafe(`BEGIN; LOCK TABLE ${tables} IN ACCESS EXCLUSIVE MODE`);
  },
  end: async () => locks?.unsafe("ROLLBACK"),
});

const TROUBLE: Record<string, Trouble> = {
  "a role that may not log in": {
    isSeen: true,
    begin: async () => [await superuser`ALTER ROLE signalman NOLOGIN`, await endSessions()],
    end: () => superuser`ALTER ROLE signalman LOGIN`,
  },
  "a changed pg_hba.conf": {
    isSeen: true,
    begin: async () => [await setHba(`local all signalman reject\n${HBA}`), await endSessions()],
    end: () => setHba(HBA),
  },
  "a database that only reads, in new sessions": {
    isSeen: true,
    begin: async () => [
      await superuser`ALTER ROLE signalman SET default_transaction_read_only = on`,
      await endSessions(),
    ],
    end: () => superuser`ALTER ROLE signalman RESET default_transaction_read_only`,
  },
  "a renamed database": {
    isSeen: true,
    begin: async () => {
      await superuser`ALTER DATABASE signalman ALLOW_CONNECTIONS false`;
      await until(async () => {
        await endSessions();
        return superuser`ALTER DATABASE signalman RENAME TO elsewhere`.then(
          () => true,
          () => false,
        );
      });
    },
    end: async () => [
      await superuser`ALTER DATABASE elsewhere RENAME TO signalman`,
      await superuser`ALTER DATABASE signalman ALLOW_CONNECTIONS true`,
    ],
  },
  "revoked rights": {
    isSeen: false,
    begin: () => asOwner("REVOKE INSERT, UPDATE ON task_heads, tasks, log_chunks FROM signalman"),
    end: () => asOwner("GRANT INSERT, UPDATE ON task_heads, tasks, log_chunks TO signalman"),
  },
  "locked tables": locked("tasks, task_heads"),
};

async function asOwner(statement: string): Promise<void> {
  const sql = postgres(server.url, { ...socketOptions(server.url), max: 1, onnotice() {} });
  await sql.unsafe(statement);
  await sql.end();
}

async function healthIs(service: TestService, status: Serving): Promise<void> {
  for await (const now of service.client(Health).watch({})) if (now.status === status) return;
}

/** Makes a call that writes. Resolves to its error; undefined: it succeeded. */
const failureOf = (service: TestService): Promise<ConnectError | undefined> =>
  runDemo(service, "quick").then(
    () => undefined,
    (error: unknown) => ConnectError.from(error),
  );

let service: TestService;
beforeAll(async () => {
  service = await startService({ databaseUrl: server.url });
  await applyDemo(service, { writer: WRITER, quick: "echo ran" });
}, 120_000);
afterAll(() => service?.[Symbol.asyncDispose]());

test.each(Object.entries(TROUBLE))(
  "%s: tasks go on, callers can try again, and nothing is lost",
  {
    timeout: 300_000,
  },
  async (name, trouble) => {
    const folder = join(scratch, name.replaceAll(/\W/g, "-"));
    mkdirSync(folder);
    const task = await runDemo(service, "writer", { arguments: [folder] });
    const watcher = follow(service, task.name);
    await watcher.counts(100);

    await trouble.begin();
    if (trouble.isSeen) await healthIs(service, Serving.NOT_SERVING);
    const failure = await failureOf(service);
    expect(failure?.code).toBe(Code.Unavailable);
    expect(failure?.findDetails(RetryInfoSchema)).toHaveLength(1);
    // More lines than the window of chunks in flight holds, so that the server has tried to store them.
    const before = await writtenSoFar(folder);
    await until(async () => (await writtenSoFar(folder)) > before + 200_000);
    await trouble.end();

    await healthIs(service, Serving.SERVING);
    await watcher.counts(watcher.lines + 100);
    await stopWriter(folder);
    expect(endOf(await watcher.ended)).toMatchObject(WRITTEN);
    await expectWhole(watcher, folder);
    await leavesNothing(service, task);
    expect(await failureOf(service)).toBeUndefined();
  },
);

test("a server that starts during locked tables and refused logins opens its port when it can serve", {
  timeout: 300_000,
}, async () => {
  const before = await service.client(TaskService).listTasks({ parent: "projects/demo" });
  await service.kill("SIGTERM");
  const lock = locked("tasks");
  await lock.begin();
  const starting = service.start();
  // Waits longer than a statement may take, so that a try has failed.
  await until(() => /take over the tasks of this node: /.test(service.log()));
  await superuser`ALTER ROLE signalman NOLOGIN`;
  await endSessions();
  await until(() => /not permitted to log in/.test(service.log()));
  await expect(service.client(TaskService).listTasks({})).rejects.toThrow(/ECONNREFUSED/);
  await superuser`ALTER ROLE signalman LOGIN`;
  await starting;
  const after = await service.client(TaskService).listTasks({ parent: "projects/demo" });
  expect(after.tasks.map((task) => task.name)).toEqual(before.tasks.map((task) => task.name));
});

test("a server whose logins are refused reports it at once and ends after 20 s", {
  timeout: 120_000,
}, async () => {
  const databaseUrl = server.url.replace(/:[^:@]+@/, ":wrong@");
  const failure = await startService({ databaseUrl }).then(() => "it started", String);
  expect(failure).toMatch(/waiting for the database: password authentication failed/);
  expect(failure).toMatch(/Cannot use PostgreSQL at .*\/signalman for 20 s: password authentication failed/);
  expect(failure).not.toMatch(/:wrong@/);
});
