import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { testRoot } from "../process/isolation/chains.ts";
import { isRoot } from "../support/nobody.ts";
import { startService, type TestService } from "../support/service.ts";

/** Users that every distribution has, and that own nothing: of all tasks, and of the tasks of project `web`. */
export const RUNNER = "nobody";
export const WEB = "games";

export const idOf = (user: string, what = "-u") =>
  spawnSync("id", [what, user], { encoding: "utf8" }).stdout.trim();

/** Why servers here cannot run tasks as other users; undefined: they can. */
export const obstacle = !isRoot
  ? "the tests do not run as root"
  : [RUNNER, WEB].some((user) => idOf(user) === "")
    ? `this machine has no users ${RUNNER} and ${WEB}`
    : undefined;

/** Starts a server as root whose tasks run as RUNNER, and those of project `web` as WEB. */
export function startWithUsers(isolation: "none" | "namespaces", env = {}): Promise<TestService> {
  const dataDir = join(testRoot.path, `users-${isolation}-${process.hrtime.bigint()}`);
  mkdirSync(dataDir, { mode: 0o700 });
  return startService({
    dataDir,
    env: {
      HOME: dataDir,
      SIGNALMAN_ISOLATION: isolation,
      SIGNALMAN_RUN_AS_USERS: `default: ${RUNNER}, projects/web: ${WEB}`,
      ...env,
    },
  });
}
