import { realpathSync } from "node:fs";
import { join, sep } from "node:path";

/** Result of resolving a path below a folder through links; "outside": it leads out of the folder. */
export type Inside =
  | { kind: "found"; path: string }
  | { kind: "missing"; cause: unknown }
  | { kind: "outside" };

/**
 * Resolves `path` below `folder` through all links. Synchronous, since that is faster than the thread pool on the local disk
 * of the data folder.
 */
export function realpathInside(folder: string, path: string): Inside {
  try {
    const found = realpathSync.native(join(folder, path));
    const isInside = `${found}${sep}`.startsWith(`${realpathSync.native(folder)}${sep}`);
    return isInside ? { kind: "found", path: found } : { kind: "outside" };
  } catch (cause) {
    return { kind: "missing", cause };
  }
}
