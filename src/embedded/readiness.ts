import { setTimeout as delay } from "node:timers/promises";
import { type Cluster, SERVICE } from "./cluster.ts";
import { EmbeddedPostgresError } from "./errors.ts";
import type { Postmaster } from "./postmaster.ts";
import { readPostmasterFile } from "./postmaster-file.ts";
import { probe } from "./probe.ts";

const POLL_MS = 4;
/** Longest wait, in milliseconds. After a crash PostgreSQL first replays its log, at most max_wal_size. */
const PATIENCE_MS = 300_000;

/**
 * Waits until the postmaster's file says that it is ready and it answers on its socket. The file alone may be an old
 * one; probing the socket alone would fill PostgreSQL's log with refused attempts.
 *
 * @returns false if the postmaster has ended instead
 */
export async function waitUntilReady(
  postmaster: Postmaster,
  cluster: Cluster,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = performance.now() + PATIENCE_MS;
  const ended = postmaster.ended.then(() => true);
  while (performance.now() < deadline) {
    signal?.throwIfAborted();
    const file = await readPostmasterFile(cluster.data);
    const saysReady = file?.pid === postmaster.process.pid && file.status === "ready";
    if (saysReady && (await probe(postmaster.socketFolder, SERVICE, signal)) === "answers") return true;
    if (await Promise.race([ended, delay(POLL_MS, false)])) return false;
  }
  throw new EmbeddedPostgresError(
    `PostgreSQL (process ${postmaster.process.pid}) is not ready after ${PATIENCE_MS / 1000} s; it keeps starting, see ${cluster.log}. Start Signalman again later, which adopts that PostgreSQL.`,
  );
}
