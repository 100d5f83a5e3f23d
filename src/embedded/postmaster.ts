import { setTimeout as delay } from "node:timers/promises";
import { EmbeddedPostgresError } from "./errors.ts";
import { isAlive, type ProcessIdentity } from "./process-identity.ts";

/** A running postmaster: a child of this server, or one that an earlier server started. */
export interface Postmaster {
  readonly process: ProcessIdentity;
  readonly socketFolder: string;
  /** Resolves when the process has ended, with how if that is known. Does not keep Node alive. */
  readonly ended: Promise<string>;
  /** Makes `ended` keep Node alive from now on. */
  hold(): void;
}

const WATCH_MS = 1_000;
const POLL_MS = 10;
/**
 * Milliseconds to wait for a shutdown. A fast one writes a checkpoint first; without it the next start replays the
 * log.
 */
const FAST_SHUTDOWN_MS = 60_000;

/** Watches a postmaster that is no child of this server, by polling the process table. */
export function watchPostmaster(process: ProcessIdentity, socketFolder: string): Postmaster {
  let interval = WATCH_MS;
  let pollFaster = new AbortController();
  const ended = (async () => {
    while (await isAlive(process)) {
      await delay(interval, undefined, { ref: interval === POLL_MS, signal: pollFaster.signal }).catch(
        () => {},
      );
    }
    return "it is gone";
  })();
  const hold = () => {
    interval = POLL_MS;
    const waiting = pollFaster;
    pollFaster = new AbortController();
    waiting.abort();
  };
  return { process, socketFolder, ended, hold };
}

/**
 * Shuts PostgreSQL down in its fast mode: sessions are ended, everything is written to disk. Resolves when the
 * process has ended.
 */
export async function shutDown(postmaster: Postmaster): Promise<void> {
  postmaster.hold();
  if (await endsAfter(postmaster, "SIGINT")) return;
  if (await endsAfter(postmaster, "SIGQUIT")) return;
  throw new EmbeddedPostgresError(
    `PostgreSQL (process ${postmaster.process.pid}) did not end within a minute of a fast and of an immediate shutdown. Check whether its disk answers.`,
  );
}

async function endsAfter(postmaster: Postmaster, signal: "SIGINT" | "SIGQUIT"): Promise<boolean> {
  if (await isAlive(postmaster.process)) send(postmaster.process.pid, signal);
  const timeout = new AbortController();
  const late = delay(FAST_SHUTDOWN_MS, false, { signal: timeout.signal });
  late.catch(() => {});
  const ended = await Promise.race([postmaster.ended.then(() => true), late]);
  timeout.abort();
  return ended;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
