import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Namespaces } from "./isolation.ts";
import { isReport } from "./namespace.ts";

/** Time limit of the probe, which takes milliseconds. */
const TIMEOUT_MS = 30_000;

/** Shell script that checks the isolation from inside, and prints each promise that it does not keep. */
const INSIDE = `
[ $$ = 2 ] || echo "its pid is $$, not 2"
[ -e "$1" ] && echo "it sees $1"
: >"$2/written" || echo "it cannot write to $2"
while read -r name value; do
  case $name in
    NoNewPrivs:) [ "$value" = 1 ] || echo 'it can gain privileges' ;;
    CapPrm: | CapEff: | CapBnd:) [ -z "$(echo "$value" | tr -d 0)" ] || echo "it has capabilities ($value)" ;;
  esac
done </proc/self/status
`;

/**
 * Runs a program by the whole chain that isolates tasks, in a new folder `folder`, which is removed. Returns why that does not
 * work, with what the system said; undefined: it works.
 * `give`: makes the user of the programs the owner of a folder
 */
export function probeIsolation(
  isolation: Namespaces,
  folder: string,
  give: (path: string) => void = () => {},
): string | undefined {
  const [own, secret] = [join(folder, "own"), join(folder, "secret")];
  mkdirSync(folder, { mode: 0o711 });
  mkdirSync(own, { mode: 0o700 });
  give(own);
  try {
    writeFileSync(secret, "");
    const enclosure = isolation.enclose({ cwd: own, tmp: own, writable: [own], readOnly: [] });
    const words = [...enclosure.words(3), "/bin/sh", "-c", INSIDE, "probe", secret, own];
    const [command = "", ...args] = words;
    const { error, status, signal, output } = spawnSync(command, args, {
      cwd: own,
      env: { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C" },
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      encoding: "utf8",
      timeout: TIMEOUT_MS,
    });
    if (error) return error.message;
    const [, found = "", errors = "", report = ""] = output as string[];
    if (status !== 0) return errors.trim() || `it ended with ${signal ?? `exit code ${status}`}`;
    if (found !== "") return found.trim().replaceAll("\n", "; ");
    return isReport(report) ? undefined : `${command} does not report its namespace; install a newer version`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Settings of the kernel that forbid user namespaces, with the value that allows them. */
const SYSCTLS = [
  { name: "user.max_user_namespaces", forbids: (value: number) => value === 0, allow: "15000" },
  { name: "kernel.unprivileged_userns_clone", forbids: (value: number) => value === 0, allow: "1" },
  {
    name: "kernel.apparmor_restrict_unprivileged_userns",
    forbids: (value: number) => value === 1,
    allow: "0",
  },
];

/** Returns what the operator can do if creating namespaces failed with this message. */
export function adviceFor(trouble: string): string {
  const found = SYSCTLS.find(({ name, forbids }) => forbids(readSysctl(name)));
  if (found) return `sysctl ${found.name} forbids it: set it to ${found.allow}`;
  if (/mount proc|mount.*\/proc/i.test(trouble))
    return "the container masks /proc: start it with --security-opt systempaths=unconfined";
  if (/No space left on device|ENOSPC/.test(trouble))
    return "the limit of user namespaces is reached: raise sysctl user.max_user_namespaces";
  if (/Operation not permitted|Permission denied/.test(trouble))
    return "this machine forbids user namespaces to this user; in a container, allow them by its seccomp profile";
  return "";
}

function readSysctl(name: string): number {
  try {
    return Number(readFileSync(`/proc/sys/${name.replaceAll(".", "/")}`, "utf8"));
  } catch {
    return Number.NaN; // this kernel lacks the setting
  }
}
