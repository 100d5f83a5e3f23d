import { rm, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Binaries } from "./binaries.ts";
import { type Cluster, SERVICE } from "./cluster.ts";
import { EmbeddedPostgresError } from "./errors.ts";
import { type Postmaster, shutDown, watchPostmaster } from "./postmaster.ts";
import { type PostmasterFile, postmasterFilePath, readPostmasterFile } from "./postmaster-file.ts";
import { probe } from "./probe.ts";
import { canListProcesses, identify, processesIn, runsProgram, worksIn } from "./process-identity.ts";
import { waitUntilReady } from "./readiness.ts";

const LEFTOVERS_MS = 30_000;
const POLL_MS = 20;

/**
 * Returns the postmaster that an earlier server left running on the cluster's data. A postmaster that cannot be used
 * is shut down instead: its socket is gone, or an upgrade replaced its program. The caller holds the folder's lock.
 *
 * @returns undefined if there is none; then no process runs on these data, and a new postmaster may be started
 */
export async function adopt(
  cluster: Cluster,
  binaries: Binaries,
  signal?: AbortSignal,
): Promise<Postmaster | undefined> {
  const file = await readPostmasterFile(cluster.data);
  const postmaster = file && (await findPostmaster(file, cluster.data));
  if (!file || !postmaster) {
    await clearStale(cluster.data, file, signal);
    return undefined;
  }
  if (file.status === "starting" && (await waitUntilReady(postmaster, cluster, signal))) return postmaster;
  if (await isUsable(postmaster, file, binaries, signal)) return postmaster;
  await shutDown(postmaster);
  await clearStale(cluster.data, file, signal);
  return undefined;
}

async function findPostmaster(file: PostmasterFile, data: string): Promise<Postmaster | undefined> {
  const process = await identify(file.pid);
  if (!process || !(await worksIn(file.pid, data))) return undefined;
  return watchPostmaster(process, file.socketFolder);
}

async function isUsable(
  postmaster: Postmaster,
  file: PostmasterFile,
  binaries: Binaries,
  signal?: AbortSignal,
): Promise<boolean> {
  if (file.status === "stopping") return false;
  if (!(await runsProgram(file.pid, binaries.postgres))) return false;
  const result = await probe(postmaster.socketFolder, SERVICE, signal);
  if (result === "silent") {
    throw new EmbeddedPostgresError(
      `PostgreSQL (process ${file.pid}) runs but does not answer on its socket in ${postmaster.socketFolder}. If it was stopped (kill -STOP), send it SIGCONT; then start Signalman again.`,
    );
  }
  return result !== "refused";
}

/**
 * Removes the pid file of a postmaster that has ended. PostgreSQL judges an old pid file itself, but refuses to start
 * over an empty one, and over one whose pid belongs to another program (after a reboot, or when a container starts
 * again) or to a zombie. The file is removed once no process works on the data and no server answers on the socket;
 * where that cannot be known it stays.
 */
async function clearStale(
  data: string,
  file: PostmasterFile | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const path = postmasterFilePath(data);
  if (!canListProcesses || !(await stat(path).catch(() => undefined))) return;
  await waitForLeftovers(data, signal);
  if (file && (await probe(file.socketFolder, SERVICE, signal)) !== "refused") {
    throw new EmbeddedPostgresError(
      `Cannot start PostgreSQL on ${data}: another PostgreSQL, which this process cannot see (perhaps in another container), answers on ${file.socketFolder}. Stop it first.`,
    );
  }
  await rm(path, { force: true });
}

/** Waits until the sessions of a postmaster that was killed have ended, which they do within moments. */
async function waitForLeftovers(data: string, signal?: AbortSignal): Promise<void> {
  const deadline = performance.now() + LEFTOVERS_MS;
  for (;;) {
    const pids = await processesIn(data);
    if (pids.length === 0) return;
    if (performance.now() > deadline) {
      throw new EmbeddedPostgresError(
        `Cannot start PostgreSQL on ${data}: its postmaster is gone, but processes ${pids.join(", ")} still work there. Kill them, then start again.`,
      );
    }
    await delay(POLL_MS, undefined, { signal });
  }
}
