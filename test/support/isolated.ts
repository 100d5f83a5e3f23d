// Runs tests with their tasks in namespaces: `npm run test:isolation -- FILE…`. The server of these tests must not be root, so
// root runs them as the user nobody. Folders of the tests lie outside of /tmp, which each isolated program has for itself.
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;
const FILES = ["test/process", "test/jobs", "test/runner"];

const files = process.argv.slice(2);
const base = isRoot ? "/var/lib" : join(homedir(), ".cache");
mkdirSync(base, { recursive: true });
const home = mkdtempSync(join(base, "signalman-tests-"));
const tmp = join(home, "tmp");
mkdirSync(tmp);
if (isRoot) for (const path of [home, tmp]) chownSync(path, NOBODY, NOBODY);
try {
  const user = isRoot ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--"] : [];
  const vitest = ["npx", "vitest", "run", "--configLoader", "runner", ...(files.length > 0 ? files : FILES)];
  const [command = "", ...args] = [...user, ...vitest];
  const env = {
    ...process.env,
    HOME: home,
    TMPDIR: tmp,
    SIGNALMAN_TEST_DATA: tmp,
    SIGNALMAN_TEST_ISOLATION: "namespaces",
  };
  const { status } = spawnSync(command, args, { env, stdio: "inherit" });
  process.exitCode = status ?? 1;
} finally {
  rmSync(home, { recursive: true, force: true });
}
