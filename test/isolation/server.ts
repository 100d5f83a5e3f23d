import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Chain } from "../../src/process/isolation/isolation.ts";
import { makeOwn, testRoot } from "../process/isolation/chains.ts";
import { asNobody } from "../support/nobody.ts";
import { startService, type TestService } from "../support/service.ts";

export { chains, tellMissing, testRoot } from "../process/isolation/chains.ts";

const TOKEN = "secret-of-the-server";

/** Starts a server that isolates its tasks by one chain, as a user who is not root. */
export function startIsolated(chain: Chain): Promise<TestService> {
  return start(chain.name, {
    SIGNALMAN_ISOLATION: "namespaces",
    PATH: `${withoutBetter(chain)}${process.env.PATH}`,
  });
}

/** Starts a server that does not isolate its tasks, as a user who is not root. */
export function startUnisolated(): Promise<TestService> {
  return start("none", { SIGNALMAN_ISOLATION: "none" });
}

function start(name: string, env: Record<string, string>): Promise<TestService> {
  return startService({
    dataDir: makeOwn(`data-${name}`),
    prefix: asNobody,
    env: {
      HOME: makeOwn(`home-${name}`),
      SIGNALMAN_TOKEN: TOKEN,
      // The embedded one: its password and socket are in the data folder.
      DATABASE_URL: "",
      ...env,
    },
  });
}

/** Returns a folder for PATH in which the preferred chain fails, so that the server takes the other one. */
function withoutBetter({ name }: Chain): string {
  if (name === "bubblewrap") return "";
  const folder = join(testRoot.path, "broken");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "bwrap"), "#!/bin/sh\necho 'no permissions' >&2; exit 1\n");
  chmodSync(join(folder, "bwrap"), 0o755);
  return `${folder}:`;
}
