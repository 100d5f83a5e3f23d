import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createConnection, createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import postgres from "postgres";
import { inject } from "vitest";
import type { TestProject } from "vitest/node";
import { startEmbeddedPostgres } from "../../src/embedded/postgres.ts";
import { socketOptions } from "../../src/embedded/socket-url.ts";
import { migrate } from "../../src/store/postgres/migrate.ts";
import { guardedFolder } from "../embedded/guarded-folder.ts";

/** A database for one test file. postgres.js connects with `postgres(url, { ...socketOptions(url) })`. */
export interface TestDatabase {
  readonly url: string;
  /** ends the sessions that are left and removes the database */
  drop(): Promise<void>;
}

declare module "vitest" {
  interface ProvidedContext {
    databaseDesk: string;
  }
}

/** `copy` is the clause that makes a copy fast where the server knows it. */
type Server = { url: string; template: string; copy: string };
type Answer = Server | { problem: string };

const FAST = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  wal_level: "minimal",
  max_wal_senders: "0",
  shared_buffers: "64MB",
  max_connections: "200",
  // Shared memory as files in the data folder, which goes with the run.
  dynamic_shared_memory_type: "mmap",
};

/** Every test database is a copy of this one. */
export async function prepareTemplate(url: string): Promise<void> {
  await migrate(url);
}

/** Returns a new database on the run's PostgreSQL; the first call of a run starts that PostgreSQL. */
export async function testDatabase(): Promise<TestDatabase> {
  const server = await askDesk();
  const name = `signalman_test_${randomBytes(6).toString("hex")}`;
  await execute(server.url, `CREATE DATABASE ${name} TEMPLATE ${server.template} ${server.copy}`);
  return {
    url: withDatabase(server.url, name),
    drop: () => dropDatabase(server.url, name),
  };
}

/**
 * Global set-up of vitest: a service in the main process that tells workers the address of PostgreSQL. PostgreSQL is
 * started at the first request (or TEST_DATABASE_URL is used, if set), and ended after the run, even if vitest is killed.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await using onFailure = new AsyncDisposableStack();
  const folder = onFailure.use(await guardedFolder());
  const after: (() => Promise<void>)[] = [];
  let server: Promise<Answer> | undefined;
  const desk = createServer(async (worker) => {
    worker.on("error", () => {});
    server ??= prepareServer(folder.path, after).catch((error: Error) => ({ problem: String(error.stack) }));
    worker.end(JSON.stringify(await server));
  });
  desk.listen(join(folder.path, "desk"));
  await once(desk, "listening");
  project.provide("databaseDesk", join(folder.path, "desk"));
  const stack = onFailure.move();
  return async () => {
    await new Promise((closed) => desk.close(closed));
    await server;
    for (const step of after) await step();
    await stack.disposeAsync();
  };
}

async function prepareServer(folder: string, after: (() => Promise<void>)[]): Promise<Server> {
  const external = process.env.TEST_DATABASE_URL;
  const url = external ?? (await startEmbeddedPostgres(folder, { settings: FAST })).url;
  // Several runs may share an external server, whose own locale may be anything.
  const template = external ? `signalman_template_${randomBytes(4).toString("hex")}` : "signalman_template";
  const locale = external ? "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'" : "";
  await execute(url, `CREATE DATABASE ${template} ${locale}`);
  if (external) after.push(() => dropDatabase(url, template));
  await prepareTemplate(withDatabase(url, template));
  // 13 ms instead of 300; PostgreSQL 14 has no such clause.
  return { url, template, copy: external ? "" : "STRATEGY FILE_COPY" };
}

async function askDesk(): Promise<Server> {
  const answer = JSON.parse(await text(createConnection(inject("databaseDesk")))) as Answer;
  if ("problem" in answer) throw new Error(`There is no database for the tests: ${answer.problem}`);
  return answer;
}

/**
 * Ends the role's own sessions in a database and removes it. WITH (FORCE) would be refused while autovacuum is at work
 * there, whose process is a superuser's; a plain DROP DATABASE ends that one by itself.
 */
export async function dropDatabase(url: string, name: string): Promise<void> {
  await execute(
    url,
    `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}' AND usename = current_user`,
    `DROP DATABASE ${name}`,
  );
}

async function execute(url: string, ...statements: string[]): Promise<void> {
  const sql = postgres(url, { ...socketOptions(url), max: 1, fetch_types: false, onnotice() {} });
  try {
    for (const statement of statements) await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}
