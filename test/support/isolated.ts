// Runs tests with their tasks in namespaces: `npm run test:isolation -- FILE…`. The server of these tests must not be root, so
// root runs them as the user nobody, from a mount of the checkout that nobody can reach. Folders of the tests, and that mount, lie
// outside of /tmp, which each isolated program has for itself.
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { isRoot, NOBODY, PROJECT, SWITCH } from "./nobody.ts";

/** Tests of what starts and ends programs. Those of each app's tasks take minutes: test/isolation shows one task of each. */
const FILES = ["test/process", "test/jobs", "test/runner"];
const LONG = ["test/jobs/families/{ansible,make,terraform}/**", "test/runner/hooks/**"];
/** Arguments: the checkout, the folder to mount it on, the users, the command. The mounts end with the command. */
const MOUNT = 'mount --bind "$1" "$2"; mount --bind "$3" /etc/passwd; cd "$2"; shift 3; exec "$@"';

const files = process.argv.slice(2);
const base = isRoot ? "/var/lib" : join(homedir(), ".cache");
mkdirSync(base, { recursive: true });
const home = mkdtempSync(join(base, "signalman-tests-"));
const tmp = join(home, "tmp");
mkdirSync(tmp);
const checkout = isRoot ? join(home, "checkout") : PROJECT;
const users = join(home, "passwd");
if (isRoot) {
  mkdirSync(checkout);
  writeFileSync(users, withShell(readFileSync("/etc/passwd", "utf8")));
  for (const path of [home, tmp]) chownSync(path, NOBODY, NOBODY);
}
try {
  const prefix = isRoot
    ? ["unshare", "--mount", "--", "sh", "-ec", MOUNT, "sh", PROJECT, checkout, users, ...SWITCH]
    : [];
  const env = {
    ...process.env,
    PATH: `${checkout}/node_modules/.bin:${process.env.PATH}`,
    HOME: home,
    TMPDIR: tmp,
    SIGNALMAN_TEST_DATA: tmp,
    SIGNALMAN_TEST_ISOLATION: "namespaces",
  };
  const node = process.execPath.replace(PROJECT, checkout);
  const run = (words: readonly string[], stdio: "inherit" | "pipe") => {
    const [command = "", ...args] = [...prefix, node, ...words];
    return spawnSync(command, args, { env, stdio, encoding: "utf8" });
  };
  const probe = join(checkout, "test/fixtures/choose-isolation.ts");
  const { stdout, stderr } = run([probe, tmp], "pipe");
  const { mode, problem } = stdout ? JSON.parse(stdout) : { mode: "none", problem: stderr };
  if (mode !== "namespaces") console.log(`skipped: no namespaces on this machine: ${problem}`);
  else if (checkout.startsWith("/tmp/"))
    console.log("skipped: isolated programs do not see a checkout below /tmp");
  else {
    const vitest = [join(checkout, "node_modules/vitest/vitest.mjs"), "run", "--configLoader", "runner"];
    // The cache of root's runs cannot be written.
    const cache = [`--fsModuleCachePath=${join(tmp, "modules")}`];
    const chosen = files.length > 0 ? files : [...FILES, ...LONG.flatMap((path) => ["--exclude", path])];
    process.exitCode = run([...vitest, ...cache, ...chosen], "inherit").status ?? 1;
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}

/** Gives nobody another name and a shell: sshd refuses logins of a user who is named nobody. Its home does not exist, as before. */
function withShell(passwd: string): string {
  const others = passwd.split("\n").filter((line) => line.split(":")[2] !== String(NOBODY));
  return [`tester:x:${NOBODY}:${NOBODY}::/nonexistent:/bin/sh`, ...others].join("\n");
}
