import { sweepMarked } from "../../process/kill-by-marker.ts";
import type { Leftovers } from "../executor.ts";
import { markerOf } from "./marker.ts";
import { listTaskFolders, removeTaskFolder, taskFolder } from "./task-folder.ts";

/** The folders of tasks on this machine. */
export function createLeftovers({ tasksRoot, node }: { tasksRoot: string; node: string }): Leftovers {
  // What cannot be removed now is removed at the next start of the server.
  const stuck = new Set<string>();

  async function clear(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      await sweepMarked(markerOf(id, node));
      await removeTaskFolder(taskFolder(tasksRoot, id)).catch(() => stuck.add(id));
    }
  }

  return {
    list: async () => (await listTaskFolders(tasksRoot)).filter((id) => IS_UUID.test(id) && !stuck.has(id)),
    clear,
    async clearAllBut(kept) {
      const ids = new Set(kept);
      await clear((await listTaskFolders(tasksRoot)).filter((id) => !ids.has(id)));
    },
  };
}

const IS_UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
