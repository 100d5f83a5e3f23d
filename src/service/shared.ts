import { existsSync, mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { letPass, writeNew } from "../files/owned.ts";
import { createMirrors, type Mirrors } from "../git/mirrors.ts";
import type { Shared } from "../jobs/executors/local/shared.ts";
import { listTaskFolders } from "../jobs/executors/local/task-folder.ts";
import type { TaskUser } from "../process/task-user.ts";
import type { IsolationReport } from "../rpc/list-apps.ts";
import { userFor } from "../settings/run-as-users.ts";
import type { ServiceContext } from "./context.ts";
import { openIsolation } from "./isolation.ts";
import { openUsers } from "./users.ts";

/** Milliseconds that a repository's host may be silent, and the pauses before the second and the third try. */
const GIT_PATIENCE = { idleMs: 60_000, retryMs: [1000, 4000] };

/** Folders and settings that tasks share on this machine, for each user and for all users together. */
export interface AllShared {
  sharedBy(template: string): Shared;
  mirrors: Pick<Mirrors, "removeUnused">;
  /** How tasks are isolated. */
  isolation: IsolationReport;
}

/** Opens what the tasks of each user share: mirrors, the cache of Galaxy, known hosts, and their isolation. */
export function openShared(context: ServiceContext, tasksRoot: string): AllShared {
  const { config } = context;
  const users = openUsers(context, tasksRoot);
  const opened = new Map<number | undefined, ReturnType<typeof openOne>>();
  for (const user of users.size > 0 ? users.values() : [undefined])
    if (!opened.has(user?.uid)) opened.set(user?.uid, openOne(context, tasksRoot, user));
  const all = [...opened.values()];
  const worst = all.find(({ isolation }) => isolation.mode === "none") ?? all[0];
  return {
    sharedBy(template) {
      const name = userFor(config.runAsUsers, template);
      const found = opened.get(name === undefined ? undefined : users.get(name)?.uid);
      if (!found) throw new Error(`no user runs the tasks of ${template}`);
      return found;
    },
    mirrors: {
      async removeUnused(since) {
        for (const { mirrors } of all) await mirrors.removeUnused(since);
      },
    },
    isolation: {
      mode: worst?.isolation.mode ?? "none",
      problem: worst?.problem,
      users: config.runAsUsers.map(({ scope, user }) => ({ scope, user: users.get(user)?.name ?? user })),
    },
  };
}

function openOne(
  context: ServiceContext,
  tasksRoot: string,
  user: TaskUser | undefined,
): Shared & { problem?: string | undefined } {
  const { config, dataDir, logger } = context;
  const place = (path: string) => {
    if (user) {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      letPass(path);
    }
    return existsSync(path) ? realpathSync(path) : path;
  };
  const folder = user ? place(join(place(join(dataDir, "users")), String(user.uid))) : dataDir;
  const { isolation, problem } = openIsolation(context, tasksRoot, user);
  const mirrors = createMirrors({
    root: place(join(folder, "mirrors")),
    owner: user,
    ...GIT_PATIENCE,
    tasks: () => listTaskFolders(tasksRoot),
    onDamaged: (mirror, err) => logger.warn({ mirror, err }, "a mirror is damaged and is fetched anew"),
  });
  const knownHosts = join(folder, "known_hosts");
  // Root's folder holds the file, so that its user can write to it but not replace it.
  if ((user || isolation.mode === "namespaces") && !existsSync(knownHosts)) writeNew(knownHosts, "", user);
  return {
    user,
    isolation,
    problem,
    mirrors,
    galaxyCache: place(join(folder, "galaxy")),
    ssh: { hostKeys: config.sshHostKeys, knownHosts: config.sshKnownHosts ?? knownHosts },
  };
}
