import { type FSWatcher, watch } from "node:fs";
import { firstOf, sleep } from "../async/first-of.ts";
import { readStatus } from "./journal.ts";
import type { End, Launched } from "./launcher.ts";
import { isAlive } from "./proc.ts";
import type { ProcessRun } from "./run-record.ts";
import { scan } from "./scan.ts";
import { journalPath } from "./spool.ts";
import { supervisorsOf } from "./task-processes.ts";

// Poll interval for the end of processes that are no children of this server's launcher, in milliseconds.
const adoptedPollMs = 50;
// Poll intervals in milliseconds: beside inotify, whose events may be lost, and without it if the system has no
// watches left.
const recordPollMs = { watched: 1000, unwatched: 50 };

/**
 * Resolves when the exit is recorded. Reads the leader's record as soon as it exists: the program may make its
 * journal unusable later, and signals must still reach it.
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
 * Resolves when no process records or drains any more. The wrapper waits for its pumps, so its own exit is enough. If
 * it was killed, its shells and pumps are waited for. The end of a child of this server's launcher is an event; that
 * of an adopted wrapper is polled.
 */
export async function supervisorsGone(run: ProcessRun): Promise<void> {
  const orderly = run.child ? await childEnded(run.child, run) : await adoptedEnded(run);
  if (orderly) return;
  while (supervisorsOf(await scan(run.birth), run).length > 0) await sleep(adoptedPollMs, run.released);
}

async function childEnded(child: Launched, run: ProcessRun): Promise<boolean> {
  let end: End | undefined;
  await firstOf(run.released, async () => {
    end = await child.ended;
  });
  return end === "unknown" ? adoptedEnded(run) : end === "exit";
}

async function adoptedEnded(run: ProcessRun): Promise<false> {
  while (isAlive(run.wrapper)) await sleep(adoptedPollMs, run.released);
  return false;
}

/** Watches a file or folder; undefined if the system has no watches left, so that the caller must poll. */
export function tryWatch(path: string, changed: (file: string | null) => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, (_, file) => changed(file));
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
