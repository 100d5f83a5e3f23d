import postgres from "postgres";
import { expect, test } from "vitest";
import { startEmbeddedPostgres } from "../../src/embedded/postgres.ts";
import { socketOptions } from "../../src/embedded/socket-url.ts";
import { guardedFolder } from "../embedded/guarded-folder.ts";
import { dropDatabase } from "./database.ts";

test("a database is removed while autovacuum is at work in it, and while sessions are left", async () => {
  await using folder = await guardedFolder();
  await using server = await startEmbeddedPostgres(folder.path, { settings: { autovacuum_naptime: "1s" } });
  const connect = (url: string) => postgres(url, { ...socketOptions(url), max: 1, onnotice() {} });
  await using all = ending(connect(server.url));
  await all.sql.unsafe("CREATE DATABASE busy");
  const url = new URL(server.url);
  url.pathname = "/busy";
  const session = connect(url.href);
  // Autovacuum rests for 100 ms after each page that it has dirtied: minutes for this table.
  await session`CREATE TABLE t (x text) WITH (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)`;
  await session`INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 20000)`;
  await session`DELETE FROM t`;
  await expect
    .poll(() => all.sql`SELECT 1 FROM pg_stat_progress_vacuum WHERE datname = 'busy'`, { timeout: 60_000 })
    .toHaveLength(1);

  await expect(all.sql.unsafe("DROP DATABASE busy WITH (FORCE)")).rejects.toThrow("permission denied");
  await dropDatabase(server.url, "busy");
  expect(await all.sql`SELECT 1 FROM pg_database WHERE datname = 'busy'`).toHaveLength(0);
  await session.end();
});

const ending = (sql: postgres.Sql) => ({ sql, [Symbol.asyncDispose]: () => sql.end() });
