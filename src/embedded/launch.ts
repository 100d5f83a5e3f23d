import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openOrCreate } from "../files/regular-file.ts";
import { replaceFile } from "../files/replace-file.ts";
import type { Binaries } from "./binaries.ts";
import type { Cluster } from "./cluster.ts";
import { EmbeddedPostgresError } from "./errors.ts";
import type { Postmaster } from "./postmaster.ts";
import { identify } from "./process-identity.ts";
import { waitUntilReady } from "./readiness.ts";
import { rotateLog, tailOfLog } from "./server-log.ts";
import { CUSTOM_CONF, fixedSettings, PG_HBA_CONF, postgresqlConf, toFlags } from "./settings.ts";
import { makeSocketFolder } from "./socket-folder.ts";
import { advice, unprivileged } from "./unprivileged.ts";

/**
 * Starts a postmaster and waits until it accepts connections. It gets its own session, so that a terminal's
 * Ctrl-C does not reach it, and outlives this process; it does not keep Node alive. No other postmaster may run on
 * these data.
 */
export async function launch(
  cluster: Cluster,
  binaries: Binaries,
  settings: Record<string, string>,
  signal?: AbortSignal,
): Promise<Postmaster> {
  const socketFolder = await makeSocketFolder(cluster.home);
  await writeConfiguration(cluster);
  const logStart = await rotateLog(cluster.log);

  const flags = toFlags({ ...settings, ...fixedSettings(socketFolder) });
  const { child, ended } = await spawnDetached(binaries, ["-D", cluster.data, ...flags], cluster.log);
  try {
    const process = child.pid === undefined ? undefined : await identify(child.pid);
    const postmaster = process && { process, socketFolder, ended, hold: () => child.ref() };
    if (postmaster && (await waitUntilReady(postmaster, cluster, signal))) return postmaster;
    throw await launchFailed(cluster, await ended, logStart);
  } finally {
    child.unref();
  }
}

async function writeConfiguration(cluster: Cluster): Promise<void> {
  replaceFile(join(cluster.data, "postgresql.conf"), postgresqlConf());
  replaceFile(join(cluster.data, "pg_hba.conf"), PG_HBA_CONF);
  await writeFile(join(cluster.home, "custom.conf"), CUSTOM_CONF, { mode: 0o600, flag: "wx" }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    },
  );
}

type Started = { child: ChildProcess; ended: Promise<string> };

async function spawnDetached(binaries: Binaries, args: string[], log: string): Promise<Started> {
  const [command, argv] = unprivileged(binaries.postgres, args);
  const output = openOrCreate(log, "append");
  try {
    const stdio: StdioOptions = ["ignore", output, output];
    const child = spawn(command, argv, { detached: true, env: binaries.env, stdio });
    return { child, ended: endOf(child) };
  } finally {
    closeSync(output);
  }
}

/** Resolves when the child has ended, with how. To be called in the same turn as `spawn`, or an early end is missed. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ? `it got ${signal}` : `its exit code was ${code}`));
  });
}

async function launchFailed(cluster: Cluster, how: string, logStart: number): Promise<Error> {
  const lines = await tailOfLog(cluster.log, logStart);
  const text = [
    `Cannot start the embedded PostgreSQL in ${cluster.home}: ${how}. Last lines of ${cluster.log}:`,
    lines || "(none)",
    advice(`${how}\n${lines}`),
  ];
  return new EmbeddedPostgresError(text.join("\n").trimEnd());
}
