import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { carry } from "./carried-environment.ts";
import type { Attempt } from "./journal.ts";
import { type Launched, type Launcher, LauncherLost } from "./launcher.ts";
import { taskVariable } from "./scan.ts";
import { shellWord } from "./shell-word.ts";
import { titled } from "./title.ts";

/** What to run, completely. `env` is the whole environment of the program, byte for byte, but for PWD and SIGNALMAN_TASK. */
export interface ProgramSpec {
  command: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** What `ps` shows of its supervisor. Default: the marker. */
  title?: string;
}

/**
 * Starts the supervisor of a program (wrapper.sh) in a session of its own. Its command line is a title and nothing else.
 * Rejects with the reason if there is no such directory, too large an environment, no process left.
 */
export async function startWrapper(
  launcher: Launcher,
  folder: string,
  attempt: Attempt,
  program: ProgramSpec,
): Promise<Launched> {
  const { command, args, cwd, env, title = attempt.marker } = program;
  const { variables, restore } = carry({ ...env, PWD: resolve(cwd) }, [command, ...args]);
  const wrapper = {
    ...titled(title),
    cwd,
    env: {
      ...variables,
      folder: resolve(folder),
      attempt: attempt.id,
      [taskVariable]: attempt.marker,
      start: [...detach(), ...restore].map(shellWord).join(" "),
      carried: Object.keys(variables).join(" "),
    },
    stdin: "wrapper",
  } as const;
  return launcher.start(wrapper).catch((cause) => {
    if (cause instanceof LauncherLost) throw cause;
    throw new Error(why(cause, program), { cause });
  });
}

// libuv reports a missing working directory as if the program were missing.
function why(error: NodeJS.ErrnoException, { args, cwd, env }: ProgramSpec): string {
  if (!existsSync(cwd)) return `there is no folder ${cwd}`;
  if (error.code !== "E2BIG") return error.message;
  const sizes: (readonly [string, number])[] = [
    ...Object.entries(env).map(([name, value]) => [`the variable ${name}`, bytes(value)] as const),
    ...args.map((arg, at) => [`argument ${at + 1}${variableIn(arg)}`, bytes(arg)] as const),
  ];
  const [name, most] = sizes.reduce((largest, one) => (one[1] > largest[1] ? one : largest), ["none", 0]);
  const all = sizes.reduce((sum, [, size]) => sum + size, 0);
  return `its arguments and environment are too large: ${all} bytes, of which ${name} has ${most}; this system takes 131072 bytes for each, and about 2 MiB in all (ulimit -s)`;
}

/** Variables of tasks are arguments of the form NAME=VALUE. */
const variableIn = (arg: string) => (/^\w+=/.test(arg) ? ` (${arg.slice(0, arg.indexOf("="))}=…)` : "");

const bytes = (text: string) => Buffer.byteLength(text);

// A child of a shell is no group leader, so setsid keeps its pid. macOS has no setsid, but perl.
function detach(): string[] {
  const setsid = ["/usr/bin/setsid", "/bin/setsid"].find((path) => existsSync(path));
  return setsid
    ? [setsid, "--"]
    : ["/usr/bin/perl", "-MPOSIX=setsid", "-e", "setsid; exec { $ARGV[0] } @ARGV; exit 127"];
}
