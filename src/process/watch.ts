import { type FSWatcher, watch } from "node:fs";
import { firstOf, sleep } from "../async/first-of.ts";
import { readStatus } from "./journal.ts";
import type { End, Launched } from "./launcher.ts";
import { isAlive } from "./proc.ts";
import type { ProcessRun } from "./run-record.ts";
import { scan } from "./scan.ts";
import { journalPath } from "./spool.ts";
import { supervisorsOf } from "./task-processes.ts";

const adoptedPollMs = 50;
// Behind inotify, whose events may be lost; alone where there are no watches left.
const recordPollMs = { watched: 1000, unwatched: 50 };

/**
 * Resolves when the exit record is complete. On the way it notes the leader as soon as that is recorded: the program may
 * make its journal unusable, and a signal has to reach it all the same.
 */
export async function exitRecorded(
  { folder, leader }: Pick<ProcessRun, "folder" | "leader">,
  signal: AbortSignal,
): Promise<void> {
  const { promise: changed, resolve } = Promise.withResolvers<void>();
  const isRecorded = () => {
    leader();
    return readStatus(folder) !== undefined;
  };
  const watcher = tryWatch(journalPath(folder), () => {
    if (isRecorded()) resolve();
  });
  const pollMs = watcher ? recordPollMs.watched : recordPollMs.unwatched;
  try {
    while (!isRecorded()) {
      await firstOf(
        signal,
        () => changed,
        (stop) => sleep(pollMs, stop),
      );
    }
  } finally {
    watcher?.close();
  }
}

/**
 * Resolves when nobody records or drains any more: the wrapper waits for its pumps, so its own end tells; if it was
 * killed, its shells and pumps are waited for. The end of what our launcher started is an event; a stranger's is polled.
 */
export async function supervisorsGone(run: ProcessRun): Promise<void> {
  const orderly = run.child ? await childEnded(run.child, run) : await strangerEnded(run);
  if (orderly) return;
  while (supervisorsOf(await scan(run.birth), run).length > 0) await sleep(adoptedPollMs, run.released);
}

async function childEnded(child: Launched, run: ProcessRun): Promise<boolean> {
  let end: End | undefined;
  await firstOf(run.released, async () => {
    end = await child.ended;
  });
  return end === "unknown" ? strangerEnded(run) : end === "exit";
}

async function strangerEnded(run: ProcessRun): Promise<false> {
  while (isAlive(run.wrapper)) await sleep(adoptedPollMs, run.released);
  return false;
}

/** `undefined` where the system has no watches left: then polling has to do. */
export function tryWatch(path: string, changed: (file: string | null) => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, (_, file) => changed(file));
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
