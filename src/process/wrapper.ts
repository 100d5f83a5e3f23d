import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Attempt } from "./journal.ts";
import { type Launched, type Launcher, LauncherLost } from "./launcher.ts";
import { taskVariable } from "./scan.ts";

/**
 * What to run, completely: `env` is the whole environment of the program. (The shell adds PWD, and drops variables
 * whose names are no identifiers.)
 */
export interface ProgramSpec {
  command: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
}

/**
 * `sh -c WRAPPER <folder> <attempt> <marker> <names of all variables> <detach…> <command> <args…>`
 *
 * The wrapper, its two subshells and the two pumps share the wrapper's session; the task gets one of its own. So no
 * `kill 0`, no SIGKILL to the task's group reaches those who record and drain, and "in the wrapper's session" tells
 * ours from the task's. The pumps have pipes, not files: `> /dev/stderr` would truncate a file. They drop the task's
 * environment, so that they show no secrets and do not carry its marker.
 *
 * Fd 3 is the pipe of stderr. The shells' own stderr is /dev/null: "Terminated" belongs in nobody's log. Traps with a
 * command are reset in the task, unlike ignored signals, which only the pumps have. An exec costs 1 ms of the time to
 * the first byte, so records use builtins, a pump unsets variables instead of running `env -i`, and the one for stderr,
 * which has time, writes down the wrapper. Names begin with `signalman_` because assigning to a variable that came with
 * the environment would export it. A pipeline has the exit status of its pump; one that failed by itself met a full
 * disk. The journal's lines are explained in journal.ts.
 */
const WRAPPER = `
signalman_attempt=$1 signalman_marker=$2 signalman_names=$3 signalman_mine=
shift 3
echo "started $signalman_attempt" >>"$0/run" || exit 75
while read -r signalman_line; do
  case $signalman_line in
    "attempt $signalman_attempt "*) signalman_mine=yes ;;
    "abandoned $signalman_attempt") exit 75 ;;
    "started $signalman_attempt") break ;;
  esac
done <"$0/run"
[ "$signalman_mine" ] || exit 75
trap : TERM INT HUP
{
  trap : TERM INT HUP
  {
    trap : TERM INT HUP
    (
      read -r signalman_line </proc/self/stat || signalman_line=$(exec /bin/sh -c 'echo $PPID')
      echo "leader $signalman_line" >>"$0/run"
      exec "$@" 2>&3 3>&-
    )
    echo "exit $?" >>"$0/run"
  } | {
    trap '' TERM INT HUP
    command unset $signalman_names
    export SIGNALMAN_PUMP="$signalman_marker"
    exec /bin/cat >>"$0/out" 3>&-
  }
  [ $? -gt 0 -a $? -lt 128 ] && echo "unwritten out" >>"$0/run"
} 3>&1 | {
  trap '' TERM INT HUP
  read -r signalman_line </proc/$$/stat || signalman_line=$$
  echo "wrapper $signalman_line" >>"$0/run"
  command unset $signalman_names
  export SIGNALMAN_PUMP="$signalman_marker"
  exec /bin/cat >>"$0/err"
}
[ $? -gt 0 -a $? -lt 128 ] && echo "unwritten err" >>"$0/run"
`;

/** Starts the wrapper in a session of its own. Rejects if there is no such directory, too large an environment, no process left. */
export async function startWrapper(
  launcher: Launcher,
  folder: string,
  attempt: Attempt,
  program: ProgramSpec,
): Promise<Launched> {
  const { command, args, cwd, env } = program;
  const fullEnv = { ...env, PWD: resolve(cwd), [taskVariable]: attempt.marker };
  const ours = [resolve(folder), attempt.id, attempt.marker, namesIn(fullEnv), ...detach()];
  const wrapper = { file: "/bin/sh", args: ["-c", WRAPPER, ...ours, command, ...args], cwd, env: fullEnv };
  return launcher.start(wrapper).catch((cause) => {
    if (cause instanceof LauncherLost) throw cause;
    throw new Error(`Cannot start ${command} in ${cwd}: ${why(cause, cwd)}`, { cause });
  });
}

// What a shell knows as variables and lets go; it drops the rest itself, and bash refuses the read-only ones.
function namesIn(env: Record<string, string>): string {
  const readOnly = /^(UID|EUID|PPID|SHELLOPTS|BASHOPTS|BASH_VERSINFO)$/;
  return Object.keys(env)
    .filter((name) => /^[A-Za-z_]\w*$/.test(name) && !readOnly.test(name))
    .join(" ");
}

// libuv reports a missing working directory as if the program were missing.
function why(error: Error, cwd: string): string {
  return existsSync(cwd) ? error.message : "no such directory";
}

// A child of a shell is no group leader, so setsid keeps its pid. macOS has no setsid, but perl.
function detach(): string[] {
  const setsid = ["/usr/bin/setsid", "/bin/setsid"].find((path) => existsSync(path));
  return setsid
    ? [setsid, "--"]
    : ["/usr/bin/perl", "-MPOSIX=setsid", "-e", "setsid; exec { $ARGV[0] } @ARGV; exit 127"];
}
