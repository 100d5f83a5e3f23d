import { randomBytes } from "node:crypto";
import { startEmbeddedPostgres } from "../../src/embedded/postgres.ts";
import { migrate } from "../../src/store/postgres/migrate.ts";
import { type DatabaseServer, dropDatabase, execute, withDatabase } from "./database.ts";

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

/**
 * Starts the PostgreSQL of a run in the folder, whose end ends it too, and migrates the database that all others are copied
 * from. If TEST_DATABASE_URL is set, that server is used instead.
 */
export async function prepareDatabases(
  folder: string,
  afterRun: AsyncDisposableStack,
): Promise<DatabaseServer> {
  const external = process.env.TEST_DATABASE_URL;
  const url = external ?? (await startEmbeddedPostgres(folder, { settings: FAST })).url;
  // Several runs may share an external server, whose own locale may be anything.
  const template = external ? `signalman_template_${randomBytes(4).toString("hex")}` : "signalman_template";
  const locale = external ? "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'" : "";
  await execute(url, `CREATE DATABASE ${template} ${locale}`);
  if (external) afterRun.defer(() => dropDatabase(url, template));
  await migrate(withDatabase(url, template));
  // 13 ms instead of 300; PostgreSQL 14 has no such clause.
  return { url, template, copy: external ? "" : "STRATEGY FILE_COPY" };
}
