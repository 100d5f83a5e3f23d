import { randomUUID } from "node:crypto";
import { closeSync, existsSync } from "node:fs";
import { ConfigError } from "../config.ts";
import { openOrCreate } from "../files/regular-file.ts";
import { chooseIsolation } from "../process/isolation/choose.ts";
import type { Isolation } from "../process/isolation/isolation.ts";
import type { Ground } from "./ground.ts";

/**
 * Chooses how this server isolates tasks, and warns if it does not although it should.
 * @throws ConfigError if the operator requires namespaces and they do not work
 */
export async function openIsolation(
  { config, dataDir, logger }: Pick<Ground, "config" | "dataDir" | "logger">,
  tasksRoot: string,
): Promise<Isolation> {
  const place = `${tasksRoot}/probe-${randomUUID()}`;
  const { isolation, problem } = chooseIsolation(config.isolation, { hidden: hiddenFolders(dataDir), place });
  if (problem !== undefined && config.isolation === "namespaces")
    throw new ConfigError(`SIGNALMAN_ISOLATION is namespaces, which do not work here: ${problem}`);
  if (problem !== undefined)
    logger.warn({ problem }, "tasks are not isolated from this server and from each other");
  if (isolation.mode === "namespaces") closeSync(openOrCreate(`${dataDir}/known_hosts`, "append"));
  return isolation;
}

/** Folders of the service that tasks must not see, as far as they lie outside of those that each task has for itself. */
function hiddenFolders(dataDir: string): string[] {
  const { XDG_RUNTIME_DIR, CREDENTIALS_DIRECTORY } = process.env;
  const folders = [dataDir, XDG_RUNTIME_DIR, CREDENTIALS_DIRECTORY].filter((folder) => folder !== undefined);
  return folders.filter((folder) => folder.startsWith("/") && existsSync(folder));
}
