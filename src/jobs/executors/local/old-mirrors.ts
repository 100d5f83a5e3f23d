import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Mirrors } from "../../../git/mirrors.ts";
import { listTaskFolders, orMissing } from "./task-folder.ts";

/** Milliseconds since its last use after which a mirror is removed. */
const UNUSED_MS = 30 * 24 * 3_600_000;

/**
 * Removes mirrors that no task has used for 30 days. A mirror used since the oldest existing task folder was made stays,
 * since that task's workspace may share the mirror's objects. Safe to run at any time.
 */
export async function removeOldMirrors(
  { mirrors, tasksRoot }: { mirrors: Pick<Mirrors, "removeUnused">; tasksRoot: string },
  now = Date.now(),
): Promise<void> {
  const begun = await Promise.all(
    (await listTaskFolders(tasksRoot)).map((id) =>
      stat(join(tasksRoot, id)).then(
        ({ birthtimeMs }) => birthtimeMs,
        orMissing(now), // gone meanwhile
      ),
    ),
  );
  await mirrors.removeUnused(new Date(Math.min(now - UNUSED_MS, ...begun)));
}
