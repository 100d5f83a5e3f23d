import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { readRegular } from "../files/regular-file.ts";
import type { Binaries } from "./binaries.ts";
import { renameDurably, writeFileDurably } from "./durable-file.ts";
import { EmbeddedPostgresError } from "./errors.ts";
import { lastLines } from "./server-log.ts";
import { toFlags } from "./settings.ts";
import { advice, unprivileged } from "./unprivileged.ts";

/** One PostgreSQL cluster on disk: `data/`, `password`, `server.log`, `run/`, and perhaps `custom.conf`. */
export interface Cluster {
  readonly home: string;
  readonly data: string;
  readonly log: string;
  readonly password: string;
}

/** Name of the service's role and of its database. The role owns the database and is not a superuser. */
export const SERVICE = "signalman";
const DRAFT = "postgres.new-";

/**
 * Opens the cluster in `<folder>/postgres`, which is created on first use. It is created under a draft name and
 * renamed once it is complete and on disk. A draft of a process that died meanwhile is removed by the next start. The
 * caller holds the folder's lock.
 */
export async function openCluster(folder: string, binaries: Binaries, throwAway: boolean): Promise<Cluster> {
  const home = join(folder, "postgres");
  await removeDrafts(folder);
  const version = firstLine(join(home, "data/PG_VERSION"));
  if (version === undefined) {
    await createCluster(folder, home, binaries, throwAway);
  } else if (version !== binaries.major) {
    throw new EmbeddedPostgresError(
      `The data in ${home} was made by PostgreSQL ${version}; this Signalman brings PostgreSQL ${binaries.major}, which cannot read it. ` +
        `Go back to the Signalman that made it, dump the database there and restore it here; or run PostgreSQL ${version} yourself and set DATABASE_URL.`,
    );
  }
  await removeDrafts(folder);
  const password = firstLine(join(home, "password"));
  if (password === undefined)
    throw new EmbeddedPostgresError(
      `Cannot use the PostgreSQL data in ${home}: the file password is missing there. Restore it.`,
    );
  return { home, data: join(home, "data"), log: join(home, "server.log"), password };
}

function firstLine(path: string): string | undefined {
  return readRegular(path, { maxBytes: 4096 })?.toString("utf8").trim();
}

function isCode(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? "");
}

async function createCluster(
  folder: string,
  home: string,
  binaries: Binaries,
  throwAway: boolean,
): Promise<void> {
  const draft = join(folder, `${DRAFT}${randomBytes(6).toString("hex")}`);
  await mkdir(draft, { mode: 0o700 });
  try {
    await fillCluster(draft, binaries, throwAway);
    await renameDurably(draft, home);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!isCode(error, "ENOTEMPTY", "EEXIST", "ENOTDIR")) throw error;
    const message = `Cannot create ${home}: it exists and is not a PostgreSQL cluster. Move it away.`;
    throw new EmbeddedPostgresError(message, { cause: error });
  }
}

async function fillCluster(draft: string, binaries: Binaries, throwAway: boolean): Promise<void> {
  const password = randomBytes(24).toString("base64url");
  await writeFileDurably(join(draft, "password"), `${password}\n`);
  await run(binaries.initdb, initdbArgs(draft, throwAway), binaries, "");
  await run(
    binaries.postgres,
    singleUserArgs(join(draft, "data"), throwAway),
    binaries,
    firstStatements(password),
  );
}

/** The builtin locale provider sorts alike on every system and after every upgrade of the C library. */
function initdbArgs(draft: string, throwAway: boolean): string[] {
  return [
    `--pgdata=${join(draft, "data")}`,
    "--username=postgres",
    `--pwfile=${join(draft, "password")}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
    ...(throwAway ? ["--no-sync"] : []),
  ];
}

/** Arguments of single-user mode. With `-j` a statement ends at a semicolon and an empty line. */
function singleUserArgs(data: string, throwAway: boolean): string[] {
  const settings = { exit_on_error: "on", log_checkpoints: "off", ...(throwAway && { fsync: "off" }) };
  return ["--single", "-j", "-D", data, ...toFlags(settings), "postgres"];
}

function firstStatements(password: string): string {
  return [
    `CREATE ROLE ${SERVICE} LOGIN CREATEDB PASSWORD '${password}';`,
    `CREATE DATABASE ${SERVICE} OWNER ${SERVICE};`,
    "",
  ].join("\n\n");
}

async function run(program: string, args: string[], binaries: Binaries, input: string): Promise<void> {
  const [command, argv] = unprivileged(program, args);
  const result = await execa(command, argv, {
    env: binaries.env,
    extendEnv: false,
    input,
    all: true,
    reject: false,
  });
  if (!result.failed) return;
  const output = result.all || result.shortMessage || "(none)";
  throw new EmbeddedPostgresError(
    ["Cannot create the embedded PostgreSQL. Last lines:", lastLines(output), advice(output)]
      .join("\n")
      .trimEnd(),
    { cause: result },
  );
}

/**
 * Removes drafts. One to which an orphaned initdb still writes may stay until a later call, or until the next start.
 */
async function removeDrafts(folder: string): Promise<void> {
  const drafts = (await readdir(folder)).filter((name) => name.startsWith(DRAFT));
  await Promise.allSettled(drafts.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}
