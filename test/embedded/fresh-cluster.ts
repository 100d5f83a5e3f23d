import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { startEmbeddedPostgres } from "../../src/embedded/postgres.ts";
import { type GuardedFolder, guardedFolder } from "./guarded-folder.ts";

let original: Promise<GuardedFolder> | undefined;

/** Fills the data folder with a stopped, empty cluster, copied from one that the test file makes once. */
export async function freshCluster(path: string): Promise<void> {
  original ??= makeOriginal();
  await mkdir(path, { mode: 0o700 });
  await execa("cp", ["-a", join((await original).path, "postgres"), path]);
}

async function makeOriginal(): Promise<GuardedFolder> {
  const folder = await guardedFolder();
  const server = await startEmbeddedPostgres(folder.path, { settings: { fsync: "off" } });
  await server.stop();
  return folder;
}
