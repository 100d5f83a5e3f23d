import { randomBytes } from "node:crypto";
import { join } from "node:path";
import postgres from "postgres";
import { inject } from "vitest";
import { socketOptions } from "../../src/embedded/socket-url.ts";
import { askDesk } from "./desk.ts";

/** A database for one test file. postgres.js connects with `postgres(url, { ...socketOptions(url) })`. */
export interface TestDatabase {
  readonly url: string;
  /** ends the sessions that are left and removes the database */
  drop(): Promise<void>;
}

/** The PostgreSQL of a run. `copy` is the clause that makes a copy of the template fast where the server knows it. */
export type DatabaseServer = { url: string; template: string; copy: string };

/** Returns a new database on the run's PostgreSQL; the first call of a run starts that PostgreSQL. */
export async function testDatabase(): Promise<TestDatabase> {
  const server = await askDesk<DatabaseServer>(join(inject("desks"), "database"));
  const name = `signalman_test_${randomBytes(6).toString("hex")}`;
  await execute(server.url, `CREATE DATABASE ${name} TEMPLATE ${server.template} ${server.copy}`);
  return {
    url: withDatabase(server.url, name),
    drop: () => dropDatabase(server.url, name),
  };
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

export async function execute(url: string, ...statements: string[]): Promise<void> {
  const sql = postgres(url, { ...socketOptions(url), max: 1, fetch_types: false, onnotice() {} });
  try {
    for (const statement of statements) await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

export function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}
