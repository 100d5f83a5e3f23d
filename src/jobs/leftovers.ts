import { sweepMarked } from "../process/marked.ts";
import { markerOf } from "./marker.ts";
import { listTaskFolders, removeTaskFolder, taskFolder } from "./task-folder.ts";

/**
 * Removes the folders of tasks that nobody runs here any more, after killing whatever of them is still alive: a
 * server that died may have left a clone that was under way, or a task that others have declared lost.
 */
export async function clearLeftovers(
  { tasksRoot, node }: { tasksRoot: string; node: string },
  adopted: readonly string[],
): Promise<void> {
  const kept = new Set(adopted);
  for (const id of await listTaskFolders(tasksRoot)) {
    if (kept.has(id)) continue;
    await sweepMarked(markerOf(id, node));
    await removeTaskFolder(taskFolder(tasksRoot, id)).catch(() => {});
  }
}
