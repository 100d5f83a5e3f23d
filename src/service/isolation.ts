import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { localSocketPath } from "../access/local-socket.ts";
import { type Config, ConfigError } from "../config.ts";
import { type Choice, chooseIsolation } from "../process/isolation/choose.ts";
import { askAsUser, type TaskUser } from "../process/task-user.ts";
import type { ServiceContext } from "./context.ts";

/**
 * Chooses how this server isolates the tasks of a user, and warns if it does not although it should.
 * `user`: undefined: the server's
 * @throws ConfigError if the operator requires namespaces and they do not work
 */
export function openIsolation(
  { config, dataDir, logger }: Pick<ServiceContext, "config" | "dataDir" | "logger">,
  tasksRoot: string,
  user?: TaskUser,
): Choice {
  if (config.isolation === "none") return { isolation: { mode: "none" } };
  const reachable = (paths: readonly string[]) => (user ? reachableBy(user, paths) : paths);
  const hidden = {
    folders: reachable(hiddenFolders({ config, dataDir })),
    files: reachable(secretFiles(config)),
  };
  const choice = chooseIsolation(hidden, `${tasksRoot}/probe-${randomUUID()}`, user);
  const { problem } = choice;
  const by = user ? ` for the user ${user.name}` : "";
  if (problem !== undefined && config.isolation === "namespaces")
    throw new ConfigError(`SIGNALMAN_ISOLATION is namespaces, which do not work here${by}: ${problem}`);
  if (problem !== undefined)
    logger.warn({ problem, user: user?.name }, "tasks are not isolated from this server and from each other");
  return choice;
}

/**
 * Returns the folders that tasks must not see: the data folder, systemd's credentials, and the folders of the unix sockets,
 * through which a caller has all rights.
 */
function hiddenFolders({ config, dataDir }: Pick<ServiceContext, "config" | "dataDir">): string[] {
  const { XDG_RUNTIME_DIR, CREDENTIALS_DIRECTORY, ...env } = process.env;
  const sockets = [process.env, env].map((environment) =>
    dirname(localSocketPath(config.listen, environment)),
  );
  sockets.forEach(makeIfMissing);
  const folders = [dataDir, XDG_RUNTIME_DIR, CREDENTIALS_DIRECTORY, ...sockets].filter(
    (path) => path !== undefined,
  );
  const existing = folders.filter((path) => path.startsWith("/") && existsSync(path));
  return [...new Set(existing.map((path) => realpathSync(path)))];
}

/** Returns the paths whose folders the user may enter. The other paths are hidden by their permissions and need no mount. */
function reachableBy(user: TaskUser, paths: readonly string[]): string[] {
  const found = askAsUser(user, `for path do [ -e "$path" ] && printf '%s\\0' "$path"; done; :`, paths);
  return found.split("\0").filter((path) => path !== "");
}

/** Returns the files with secrets of the service that lie outside of the hidden folders. */
const secretFiles = ({ tlsKey, secretFiles }: Pick<Config, "tlsKey" | "secretFiles">): string[] =>
  tlsKey === undefined ? [...secretFiles] : [tlsKey, ...secretFiles];

/** Names in the data folder that hold secrets of the service or of other tasks. */
const CLOSED = ["tasks", "mirrors", "galaxy", "users", "postgres", "secret.key", "token"];

/**
 * Returns the files and folders that no repository may name, lie in or bring with it: the server copies a repository with its own
 * rights into a workspace, where its task could read what isolation hides.
 */
export function closedPaths({ config, dataDir }: Pick<ServiceContext, "config" | "dataDir">): string[] {
  const { CREDENTIALS_DIRECTORY } = process.env;
  return [
    ...CLOSED.map((name) => join(dataDir, name)),
    ...secretFiles(config),
    ...(CREDENTIALS_DIRECTORY ? [CREDENTIALS_DIRECTORY] : []),
  ];
}

/** Creates the folder of the unix socket before the port opens. If that fails, the port opens without a socket. */
function makeIfMissing(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch {}
}
