import { sweepMarked } from "../../../process/kill-by-marker.ts";
import type { Leftovers } from "../executor.ts";
import { markerOf } from "./marker.ts";
import { listTaskFolders, removeTaskFolder, taskFolder } from "./task-folder.ts";

export interface LeftoversOptions {
  tasksRoot: string;
  node: string;
  /** Called the first time that a folder cannot be removed. */
  onStuck: (folder: string, error: unknown) => void;
}

/** Backoff for a folder that could not be removed: retried after one minute, then after twice as long, at most an hour. */
const FIRST_PAUSE_MS = 60_000;
const LONGEST_PAUSE_MS = 3_600_000;

/** Lists and removes the folders and processes that tasks have left on this machine. */
export function createLeftovers({ tasksRoot, node, onStuck }: LeftoversOptions): Leftovers {
  /** Folders that could not be removed, by their tasks' ids. */
  const stuck = new Map<string, { until: number; pauseMs: number }>();

  async function clear(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      await sweepMarked(markerOf(id, node));
      const folder = taskFolder(tasksRoot, id);
      await removeTaskFolder(folder).then(
        () => stuck.delete(id),
        (error: unknown) => {
          if (!stuck.has(id)) onStuck(folder.root, error);
          const pauseMs = Math.min((stuck.get(id)?.pauseMs ?? FIRST_PAUSE_MS / 2) * 2, LONGEST_PAUSE_MS);
          stuck.set(id, { until: performance.now() + pauseMs, pauseMs });
        },
      );
    }
  }

  /** Returns an empty list if the folder cannot be read: the next round tries again. */
  const found = () => listTaskFolders(tasksRoot).catch(() => []);
  const isWaiting = (id: string) => (stuck.get(id)?.until ?? 0) > performance.now();
  return {
    list: async () => (await listTaskFolders(tasksRoot)).filter((id) => IS_UUID.test(id) && !isWaiting(id)),
    clear,
    async clearAllBut(kept) {
      const ids = new Set(kept);
      await clear((await found()).filter((id) => !ids.has(id)));
    },
  };
}

const IS_UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
