import { existsSync, statSync } from "node:fs";
import { mkdir, realpath } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { lockFolder } from "./folder-lock.ts";
import { nodeIdOf } from "./node-id.ts";

/** A folder that belongs to this process alone until it is disposed, or until the process ends in any way. */
export interface DataFolder extends AsyncDisposable {
  /** absolute, without symbolic links */
  readonly path: string;
  /** a UUID; stays with the folder for good */
  readonly nodeId: string;
}

/**
 * Creates the folder if need be (0700), locks it and reads its node id.
 *
 * A folder that exists keeps its mode, since it may be a mount point or somebody's home; whatever is secret in it
 * has a 0700 folder or a 0600 file of its own.
 *
 * @throws DataFolderInUse if another process holds it (or this process already does); Error whose message says why there
 * can be no such folder
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  const folder = await make(path).catch((cause: Error) => {
    throw new Error(`Cannot make the data folder ${path}: ${cause.message}`, { cause });
  });
  await using onFailure = new AsyncDisposableStack();
  const unlock = await lockFolder(folder).catch((cause: NodeJS.ErrnoException) => {
    // The system's own words name only the file.
    if (!cause.syscall) throw cause;
    throw new Error(`Cannot use the data folder ${path}: ${cause.message}`, { cause });
  });
  onFailure.defer(unlock);
  const nodeId = await nodeIdOf(folder);
  onFailure.move();

  let held = true;
  return {
    path: folder,
    nodeId,
    async [Symbol.asyncDispose]() {
      if (held) unlock();
      held = false;
    },
  };
}

async function make(path: string): Promise<string> {
  await makeFolder(resolve(path));
  return realpath(path);
}

/** As `mkdir -p`. Node's own never returns where a folder that exists takes no folders, as /proc does. */
async function makeFolder(path: string): Promise<void> {
  const isThere = () => existsSync(path) && statSync(path).isDirectory();
  if (isThere()) return;
  const parent = dirname(path);
  if (parent !== path) await makeFolder(parent);
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    if (!isThere()) throw error;
  });
}
