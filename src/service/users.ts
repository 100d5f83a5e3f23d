import { dirname } from "node:path";
import { ConfigError } from "../config.ts";
import { letPass } from "../files/owned.ts";
import { findUser } from "../process/find-user.ts";
import { askAsUser, type TaskUser } from "../process/task-user.ts";
import type { UserEntry } from "../settings/run-as-users.ts";
import { messageOf } from "../task/errors.ts";
import type { ServiceContext } from "./context.ts";

const SETTING = "SIGNALMAN_RUN_AS_USERS";

/**
 * Finds the users as whom tasks run, by the words of the setting, and lets them pass the data folder to the folders of their
 * tasks, which are all that they can list or read in it.
 * @throws ConfigError if this server is not root, or an entry names a user who cannot run tasks here
 */
export function openUsers(
  { config, dataDir, logger }: Pick<ServiceContext, "config" | "dataDir" | "logger">,
  tasksRoot: string,
): ReadonlyMap<string, TaskUser> {
  const entries = config.runAsUsers;
  const isRoot = process.geteuid?.() === 0;
  if (entries.length === 0) {
    if (isRoot && config.isolation === "none")
      logger.warn(`tasks run as root, as this server does: name other users in ${SETTING}`);
    return new Map();
  }
  if (process.platform !== "linux") throw new ConfigError(`${SETTING} works on Linux only; leave it out`);
  if (!isRoot)
    throw new ConfigError(
      `${SETTING} needs a server that runs as root, since only root can start programs as another user; this one runs as the user with the id ${process.geteuid?.()}: leave the setting out, or start the server as root`,
    );
  const users = new Map(entries.map((entry) => [entry.user, userOf(entry)] as const));
  for (const path of [dataDir, tasksRoot]) letPass(path);
  for (const entry of entries) assertReach(entry, users.get(entry.user) as TaskUser, tasksRoot);
  const shown = entries.map(
    ({ scope, user }) => `${scope}: ${users.get(user)?.name} (${users.get(user)?.uid})`,
  );
  logger.info({ users: shown }, "tasks run as other users than this server");
  return users;
}

function userOf({ scope, user }: UserEntry): TaskUser {
  const found = findUser(user);
  if (!found)
    throw new ConfigError(
      `${SETTING} has the entry ${scope}: ${user}, but this machine has no user ${user}; make one (useradd --system ${user}) or name another`,
    );
  if (found.uid === 0)
    throw new ConfigError(
      `${SETTING} has the entry ${scope}: ${user}, who is root; name a user without privileges, since tasks of root could change this server`,
    );
  return found;
}

/** Prints the first of the folders that the user may not enter. */
const FIRST_CLOSED = 'for folder do cd "$folder" 2>/dev/null || { printf %s "$folder"; exit; }; done';

function assertReach({ scope, user }: UserEntry, found: TaskUser, tasksRoot: string): void {
  const because = (why: string) =>
    new ConfigError(`${SETTING} has the entry ${scope}: ${user}, as whom no task can run: ${why}`);
  let closed: string;
  try {
    closed = askAsUser(found, FIRST_CLOSED, foldersAbove(tasksRoot));
  } catch (error) {
    throw because(`the program setpriv of util-linux says: ${messageOf(error)}`);
  }
  if (closed !== "")
    throw because(
      `this user may not enter ${closed}, in which the data folder lies; allow it (chmod o+x ${closed}) or set another --data-dir`,
    );
}

const foldersAbove = (path: string): string[] =>
  path === "/" ? [path] : [...foldersAbove(dirname(path)), path];
