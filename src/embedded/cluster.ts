import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
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

/**
 * One PostgreSQL cluster on disk: `data/`, `password`, `superuser-password`, `server.log`, `run/`, and perhaps `custom.conf`.
 */
export interface Cluster {
  readonly home: string;
  readonly data: string;
  readonly log: string;
  /** Password of the service's role. */
  readonly password: string;
}

/** Name of the service's role and of its database. The role owns the database and is not a superuser. */
export const SERVICE = "signalman";
const SUPERUSER = "postgres";
const SUPERUSER_PASSWORD = "superuser-password";
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
  const password = newPassword();
  await writeFileDurably(join(draft, "password"), `${password}\n`);
  await writeFileDurably(join(draft, SUPERUSER_PASSWORD), `${newPassword()}\n`);
  await run(binaries.initdb, initdbArgs(draft, throwAway), binaries, "");
  await runAsSuperuser(join(draft, "data"), binaries, throwAway, firstStatements(password));
}

/** Whether the superuser has the password of the service, as in clusters of version 0.2 and earlier. */
export const hasSharedPassword = ({ home }: Cluster): boolean => !existsSync(join(home, SUPERUSER_PASSWORD));

/**
 * Gives the superuser a password of its own. No PostgreSQL may run on the cluster. The file is written last, so that the next
 * start repeats a change that was cut off.
 */
export async function separateSuperuser(
  { home, data }: Cluster,
  binaries: Binaries,
  throwAway: boolean,
): Promise<void> {
  const password = newPassword();
  await runAsSuperuser(data, binaries, throwAway, `ALTER ROLE ${SUPERUSER} PASSWORD '${password}';\n\n`);
  await writeFileDurably(join(home, SUPERUSER_PASSWORD), `${password}\n`);
}

const newPassword = () => randomBytes(24).toString("base64url");

/** The builtin locale provider sorts alike on every system and after every upgrade of the C library. */
function initdbArgs(draft: string, throwAway: boolean): string[] {
  return [
    `--pgdata=${join(draft, "data")}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${join(draft, SUPERUSER_PASSWORD)}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
    ...(throwAway ? ["--no-sync"] : []),
  ];
}

/** Runs statements in single-user mode. With `-j` a statement ends at a semicolon and an empty line. */
function runAsSuperuser(
  data: string,
  binaries: Binaries,
  throwAway: boolean,
  statements: string,
): Promise<void> {
  const settings = { exit_on_error: "on", log_checkpoints: "off", ...(throwAway && { fsync: "off" }) };
  const args = ["--single", "-j", "-D", data, ...toFlags(settings), "postgres"];
  return run(binaries.postgres, args, binaries, statements);
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
    ["Cannot set up the embedded PostgreSQL. Last lines:", lastLines(output), advice(output)]
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
