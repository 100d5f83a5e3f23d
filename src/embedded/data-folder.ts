import { existsSync, statSync } from "node:fs";
import { mkdir, realpath } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { lockFolder } from "./folder-lock.ts";
import { nodeIdOf } from "./node-id.ts";

/** A folder that belongs to this process alone, until it is disposed or the process ends in any way. */
export interface DataFolder extends AsyncDisposable {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** UUID of the node; stays with the folder for good. */
  readonly nodeId: string;
}

/**
 * Opens a data folder: creates it with mode 0700 if it does not exist, locks it and reads its node id.
 *
 * An existing folder keeps its mode, since it may be a mount point or a home folder. Secrets in it are in folders of
 * mode 0700 and files of mode 0600.
 *
 * @throws DataFolderInUseError if another process holds it, or this process already does; Error with the reason if the
 * folder cannot be created or used
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  const folder = await make(path).catch((cause: Error) => {
    throw new Error(`Cannot create the data folder ${path}: ${cause.message}`, { cause });
  });
  await using onFailure = new AsyncDisposableStack();
  const unlock = await lockFolder(folder).catch((cause: NodeJS.ErrnoException) => {
    // Adds the path of the folder: the system's message names only the lock file.
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

/**
 * Creates a folder and its parents, as `mkdir -p` does. Node's recursive mkdir never returns below an existing folder
 * that takes no folders, such as /proc.
 */
async function makeFolder(path: string): Promise<void> {
  const isThere = () => existsSync(path) && statSync(path).isDirectory();
  if (isThere()) return;
  const parent = dirname(path);
  if (parent !== path) await makeFolder(parent);
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    if (!isThere()) throw error;
  });
}
