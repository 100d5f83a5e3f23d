// Runs tests with their tasks in namespaces: `npm run test:isolation -- FILE…`. The server of these tests must not be root, so
// root runs them as the user nobody. Folders of the tests lie outside of /tmp, which each isolated program has for itself.
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { asNobody, isRoot, NOBODY } from "./nobody.ts";

const CHOOSE = fileURLToPath(new URL("../fixtures/choose-isolation.ts", import.meta.url));
const FILES = ["test/process", "test/jobs", "test/runner"];

const files = process.argv.slice(2);
const base = isRoot ? "/var/lib" : join(homedir(), ".cache");
mkdirSync(base, { recursive: true });
const home = mkdtempSync(join(base, "signalman-tests-"));
const tmp = join(home, "tmp");
mkdirSync(tmp);
if (isRoot) for (const path of [home, tmp]) chownSync(path, NOBODY, NOBODY);
try {
  const env = {
    ...process.env,
    HOME: home,
    TMPDIR: tmp,
    SIGNALMAN_TEST_DATA: tmp,
    SIGNALMAN_TEST_ISOLATION: "namespaces",
  };
  const run = (words: readonly string[], stdio: "inherit" | "pipe") => {
    const [command = "", ...args] = [...asNobody, ...words];
    return spawnSync(command, args, { env, stdio, encoding: "utf8" });
  };
  const { stdout, stderr } = run([process.execPath, CHOOSE, "auto", tmp], "pipe");
  if (!stdout) throw new Error(stderr);
  const { mode, problem } = JSON.parse(stdout);
  if (mode === "namespaces") {
    const vitest = ["npx", "vitest", "run", "--configLoader", "runner"];
    process.exitCode = run([...vitest, ...(files.length > 0 ? files : FILES)], "inherit").status ?? 1;
  } else console.log(`skipped: no namespaces on this machine: ${problem}`);
} finally {
  rmSync(home, { recursive: true, force: true });
}
