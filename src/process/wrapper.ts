import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { carry } from "./carried-environment.ts";
import type { Enclosure } from "./isolation/enclosure.ts";
import type { Attempt } from "./journal.ts";
import { type Launched, type Launcher, LauncherLostError } from "./launcher.ts";
import { taskVariable } from "./scan.ts";
import { shellWord } from "./shell-word.ts";
import { titled } from "./title.ts";
import { tooLarge } from "./too-large.ts";

/** A program to run. `env` is its complete environment, byte for byte, except PWD and SIGNALMAN_TASK. */
export interface ProgramSpec {
  command: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** Title of its wrapper in `ps`. Default: the marker. */
  title?: string;
  /** How it is separated from the service. Default: it is not. */
  enclosure?: Enclosure;
}

/** Descriptor of the journal in the wrapper, to which the first process of the namespaces is reported. */
const JOURNAL_FD = 4;

/**
 * Starts the wrapper of a program (wrapper.sh) in a separate session; its command line is a title and nothing else.
 * Rejects with the reason if the working directory does not exist, if the environment is too large, or if the system
 * cannot fork.
 */
export async function startWrapper(
  launcher: Launcher,
  folder: string,
  attempt: Attempt,
  program: ProgramSpec,
): Promise<Launched> {
  const { command, args, cwd, env, title = attempt.marker, enclosure } = program;
  const { variables, restore } = carry({ ...env, PWD: resolve(cwd) }, [command, ...args]);
  const wrapper = {
    ...titled(title),
    cwd,
    env: {
      ...variables,
      folder: resolve(folder),
      attempt: attempt.id,
      [taskVariable]: attempt.marker,
      start: [...(enclosure?.words(JOURNAL_FD) ?? []), ...detach(), ...restore].map(shellWord).join(" "),
      owner: enclosure?.owner ? `${enclosure.owner.uid}:${enclosure.owner.gid}` : "",
      isolated: enclosure?.hasNamespace ? "yes" : "",
      carried: Object.keys(variables).join(" "),
    },
    stdin: "wrapper",
  } as const;
  return launcher.start(wrapper).catch((cause) => {
    if (cause instanceof LauncherLostError) throw cause;
    throw new Error(why(cause, program), { cause });
  });
}

// Node reports a missing working directory as if the program were missing.
function why(error: NodeJS.ErrnoException, { args, cwd, env }: ProgramSpec): string {
  if (!existsSync(cwd)) return `there is no folder ${cwd}`;
  if (error.code !== "E2BIG") return error.message;
  return tooLarge(args, env);
}

// A child of a shell is no group leader, so setsid keeps its pid. macOS lacks setsid but has perl.
function detach(): string[] {
  const setsid = ["/usr/bin/setsid", "/bin/setsid"].find((path) => existsSync(path));
  return setsid
    ? [setsid, "--"]
    : ["/usr/bin/perl", "-MPOSIX=setsid", "-e", "setsid; exec { $ARGV[0] } @ARGV; exit 127"];
}
