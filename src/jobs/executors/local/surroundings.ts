import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { socketFolder } from "../../../keys/socket-folder.ts";
import type { Enclosure } from "../../../process/isolation/enclosure.ts";
import type { Isolation } from "../../../process/isolation/isolation.ts";
import { asUser, type TaskUser } from "../../../process/task-user.ts";
import { completeTaskFolder, type TaskFolder } from "./task-folder.ts";

/** Returns how a program of a task is separated from the service; undefined: it is not. */
export type Enclose = (uses: { cwd: string; writable?: readonly string[] }) => Enclosure | undefined;

/** Paths outside of a task's folder that its programs see. */
export interface Surroundings {
  enclose: Enclose;
  /** Adds a path that the task's programs read from now on: a mirror from which its clone borrows, a cache entry. */
  addSource(path: string): void;
  /** Stores these paths in the task's folder, for a later server. */
  save(): void;
}

/** Creates the surroundings of a task with the paths that an earlier server has stored. */
export function createSurroundings(
  {
    isolation,
    user,
    ssh,
  }: { isolation: Isolation; user?: TaskUser | undefined; ssh: { knownHosts: string } },
  folder: TaskFolder,
): Surroundings {
  let sources: Set<string> | undefined;
  const known = () => {
    sources ??= new Set(readSources(folder));
    return sources;
  };
  return {
    addSource: (path) => void known().add(path),
    save() {
      if (known().size > 0) writeFileSync(folder.sources, JSON.stringify([...known()]), { mode: 0o600 });
    },
    enclose({ cwd, writable = [] }) {
      if (isolation.mode === "none") return asUser(user);
      if (!existsSync(folder.tmp)) completeTaskFolder(folder);
      const { work, home, tmp, plan } = folder;
      const own = [work, home, tmp, plan, folder.private, socketFolder(folder.private)];
      return isolation.enclose({
        cwd,
        tmp,
        readOnly: [...known()],
        writable: [...own, ssh.knownHosts, ...writable],
      });
    },
  };
}

function readSources({ sources }: TaskFolder): string[] {
  try {
    return JSON.parse(readFileSync(sources, "utf8"));
  } catch {
    return []; // none was stored
  }
}
