import { setTimeout as delay } from "node:timers/promises";
import { EmbeddedPostgresError } from "./errors.ts";
import { isAlive, type ProcessIdentity } from "./process-identity.ts";

/** A running postmaster, our child or somebody's before us. */
export interface Postmaster {
  readonly process: ProcessIdentity;
  readonly socketFolder: string;
  /** Resolves when the process is gone, with how it went if that is known. Does not keep Node alive. */
  readonly ended: Promise<string>;
  /** Lets `ended` keep Node alive from now on. */
  hold(): void;
}

const WATCH_MS = 1_000;
const POLL_MS = 10;
/** A fast shutdown writes a checkpoint first; without it the next start replays the log instead. */
const FAST_SHUTDOWN_MS = 60_000;

/** Watches a postmaster that is not our child, of which only a look at the process table tells. */
export function watchPostmaster(process: ProcessIdentity, socketFolder: string): Postmaster {
  let interval = WATCH_MS;
  let hurry = new AbortController();
  const ended = (async () => {
    while (await isAlive(process)) {
      await delay(interval, undefined, { ref: interval === POLL_MS, signal: hurry.signal }).catch(() => {});
    }
    return "it is gone";
  })();
  const hold = () => {
    interval = POLL_MS;
    const waiting = hurry;
    hurry = new AbortController();
    waiting.abort();
  };
  return { process, socketFolder, ended, hold };
}

/** PostgreSQL's fast shutdown: sessions are ended, everything is on disk. Resolves when the process is gone. */
export async function shutDown(postmaster: Postmaster): Promise<void> {
  postmaster.hold();
  if (await endsAfter(postmaster, "SIGINT")) return;
  if (await endsAfter(postmaster, "SIGQUIT")) return;
  throw new EmbeddedPostgresError(
    `PostgreSQL (process ${postmaster.process.pid}) ignored a fast and an immediate shutdown for a minute each. Look for a disk that does not answer.`,
  );
}

async function endsAfter(postmaster: Postmaster, signal: "SIGINT" | "SIGQUIT"): Promise<boolean> {
  if (await isAlive(postmaster.process)) send(postmaster.process.pid, signal);
  const patience = new AbortController();
  const late = delay(FAST_SHUTDOWN_MS, false, { signal: patience.signal });
  late.catch(() => {});
  const ended = await Promise.race([postmaster.ended.then(() => true), late]);
  patience.abort();
  return ended;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
