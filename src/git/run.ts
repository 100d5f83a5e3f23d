import { dirname, join } from "node:path";
import { CannotStart, runCommand } from "../process/command.ts";
import { PrepareError } from "../task/errors.ts";
import type { Exit } from "../task/exit.ts";
import { maskUsers } from "./remote-url.ts";

/**
 * Where git works. Its repository is always named: git that looks for one itself finds, where a mirror or a workspace is
 * damaged, the repository that the data folder happens to lie in.
 */
export interface Place {
  cwd: string;
  /** Undefined only for commands that need no repository: init, clone, lfs version. */
  gitDir?: string;
  workTree?: string;
}

/** A bare repository, or the inside of one that is not. */
export const repositoryAt = (gitDir: string): Place => ({ cwd: "/", gitDir });
/** A repository that was checked out here. */
export const workspaceAt = (folder: string): Place => ({
  cwd: folder,
  gitDir: join(folder, ".git"),
  workTree: folder,
});

export interface RunOptions extends Place {
  signal: AbortSignal;
  /** More settings, `name=value`. */
  config?: readonly string[] | undefined;
  env?: Readonly<Record<string, string>> | undefined;
  /** Ends git when it has printed nothing for so long. */
  idleMs?: number | undefined;
  /** Called with each line of stdout, of which only the last MiB is returned. */
  onOutput?: ((line: string) => void) | undefined;
  /** Called with each line of stderr. */
  onProgress?: ((line: string) => void) | undefined;
}

/**
 * Runs git and returns what it printed, without the last newline.
 * @throws GitFailed; TimedOut; PrepareError if there is no git; the signal's reason.
 */
export type RunGit = (args: readonly string[], options: RunOptions) => Promise<string>;

/** Git did not succeed. Users in URLs are masked, since tokens may stand there. */
export class GitFailed extends Error {
  readonly exit: Exit;
  /** All of stderr. */
  readonly said: string;

  constructor(args: readonly string[], exit: Exit, stderr: string) {
    const said = maskUsers(stderr.trim());
    super(`git ${args.find((arg) => !arg.startsWith("-"))} said: ${said.split("\n").slice(-5).join("; ")}`);
    this.name = "GitFailed";
    this.exit = exit;
    this.said = said;
  }
}

// Settings of the machine, and hooks, do not count; what is not allowed is forbidden.
const CONFIG = [
  // The operator named this folder: that it belongs to another user is no reason to refuse it.
  "safe.directory=*",
  "safe.bareRepository=explicit",
  "advice.detachedHead=false",
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.sparseCheckout=false",
  "gc.auto=0",
  "maintenance.auto=false",
  "credential.helper=",
  "protocol.allow=never",
];
const ENVIRONMENT = {
  LC_ALL: "C",
  // No ~/.netrc, no ~/.gitconfig.
  HOME: "/dev/null",
  XDG_CONFIG_HOME: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
  // Looking at a repository must not write to it.
  GIT_OPTIONAL_LOCKS: "0",
  // Every question fails at once: empty, this one keeps git, and git-lfs, from looking for another program to ask.
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "",
  SSH_ASKPASS_REQUIRE: "never",
};

/** Of git's own variables those say how servers are reached; the others would lead it to other repositories and settings. */
const isHarmless = (name: string) => !name.startsWith("GIT_") || /^GIT_(SSL|HTTP|PROXY)_/.test(name);

/** @param env what git inherits, PATH among it. @param marker of the task, to find strays by. */
export function createRunGit(env: Readonly<Record<string, string>>, marker: string): RunGit {
  const inherited = Object.fromEntries(Object.entries(env).filter(([name]) => isHarmless(name)));
  return async (args, { cwd, gitDir, workTree, signal, config = [], idleMs, ...options }) => {
    const settings = [...CONFIG, ...config].flatMap((setting) => ["-c", setting]);
    const place = [
      ...(gitDir === undefined ? [] : [`--git-dir=${gitDir}`]),
      ...(workTree === undefined ? [] : [`--work-tree=${workTree}`]),
    ];
    const result = await runCommand({
      command: "git",
      args: [...place, ...settings, ...args],
      cwd,
      env: { ...inherited, ...ENVIRONMENT, GIT_CEILING_DIRECTORIES: dirname(cwd), ...options.env },
      marker,
      signal,
      ...(idleMs === undefined ? {} : { idleMs }),
      onLine: (line, stream) =>
        (stream === "stderr" ? options.onProgress : options.onOutput)?.(maskUsers(line)),
      leftovers: "spared",
    }).catch((cause: unknown) => {
      if (!(cause instanceof CannotStart)) throw cause;
      throw new PrepareError(`Cannot check out the repository: ${cause.message}`, { cause });
    });
    const { exit } = result;
    if (exit.kind !== "code" || exit.code !== 0) throw new GitFailed(args, exit, result.stderr);
    return result.stdout.trimEnd();
  };
}
