import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Mirrors } from "../../git/mirrors.ts";
import { listTaskFolders, orMissing } from "./task-folder.ts";

/** A mirror goes when nobody has used it for so long. */
const UNUSED_MS = 30 * 24 * 3_600_000;

/**
 * Removes mirrors that nobody has used for 30 days, nor since the oldest task began that is still here: it shares the
 * objects of those that it used. May run beside everything.
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
