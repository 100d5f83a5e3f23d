import { chownSync } from "node:fs";
import { messageOf } from "../../task/errors.ts";
import type { TaskUser } from "../task-user.ts";
import { findChains, type Hidden, type Isolation, isolateBy } from "./isolation.ts";
import { adviceFor, probeIsolation } from "./probe.ts";

/** Setting of the operator; `auto`: namespaces if they work, else none. */
export type IsolationSetting = "auto" | "namespaces" | "none";

/** The isolation of a server, and why it is this one. */
export interface Choice {
  isolation: Isolation;
  /** Why tasks are not isolated, and what to do about it; undefined: they are, or the operator wants it so. */
  problem?: string;
}

/**
 * Chooses how tasks are isolated: by namespaces if the whole chain works for a probe in the folder `place`.
 * `user`: user as whom the tasks run; undefined: the server's
 */
export function chooseIsolation(hidden: Hidden, place: string, user?: TaskUser): Choice {
  const none = (problem: string): Choice => ({ isolation: { mode: "none" }, problem });
  if (process.platform !== "linux") return none("namespaces exist on Linux only");
  if (process.geteuid?.() === 0 && !user)
    return none(
      "this server runs as root, and a task of root can leave its namespaces; run the server as another user, or name the users of tasks in SIGNALMAN_RUN_AS_USERS",
    );
  const troubles: string[] = [];
  for (const chain of findChains()) {
    const isolation = isolateBy(chain, hidden, user);
    const trouble = tryProbe(isolation, place, (path) => user && chownSync(path, user.uid, user.gid));
    if (trouble === undefined) return { isolation };
    troubles.push(trouble);
  }
  const [trouble] = troubles;
  if (trouble === undefined)
    return none(
      "bubblewrap is not installed; install it (apt install bubblewrap, dnf install bubblewrap, apk add bubblewrap)",
    );
  const advice = adviceFor(trouble);
  return none(`a program in namespaces does not start: ${trouble}${advice && `; ${advice}`}`);
}

function tryProbe(...probe: Parameters<typeof probeIsolation>): string | undefined {
  try {
    return probeIsolation(...probe);
  } catch (error) {
    return messageOf(error);
  }
}
