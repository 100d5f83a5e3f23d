import { dirname, join } from "node:path";
import { CannotStartError, runCommand } from "../process/command.ts";
import type { Enclosure } from "../process/isolation/enclosure.ts";
import { PrepareError } from "../task/errors.ts";
import type { Exit } from "../task/exit.ts";
import { maskUsers } from "./remote-url.ts";

/**
 * Folder and repository that git works in. The repository is always named: if git searched for it and the mirror or workspace
 * were damaged, git would find a repository that contains the data folder.
 */
export interface RepositoryPaths {
  cwd: string;
  /** Git directory; undefined only for commands that need no repository: init, clone, lfs version. */
  gitDir?: string;
  workTree?: string;
}

/** Returns the paths of a git directory, without a working tree. */
export const repositoryAt = (gitDir: string): RepositoryPaths => ({ cwd: "/", gitDir });
/** Returns the paths of a repository that is checked out in `folder`. */
export const workspaceAt = (folder: string): RepositoryPaths => ({
  cwd: folder,
  gitDir: join(folder, ".git"),
  workTree: folder,
});

export interface RunOptions extends RepositoryPaths {
  signal: AbortSignal;
  /** Additional settings, each as `name=value`. */
  config?: readonly string[] | undefined;
  env?: Readonly<Record<string, string>> | undefined;
  /** Folders beside these that git writes to. */
  writes?: readonly string[] | undefined;
  /** Milliseconds without output after which git is killed. */
  idleMs?: number | undefined;
  /** Called with each line of stdout, of which only the last MiB is returned. */
  onOutput?: ((line: string) => void) | undefined;
  /** Called with each line of stderr. */
  onProgress?: ((line: string) => void) | undefined;
}

/**
 * Runs git and returns its output without trailing white space.
 * @throws GitError if it fails; TimedOutError; PrepareError if git is not installed; the signal's reason.
 */
export type RunGit = (args: readonly string[], options: RunOptions) => Promise<string>;

/** Git exited with an error. Users in URLs are masked, since they may be tokens. */
export class GitError extends Error {
  readonly exit: Exit;
  /** All of stderr. */
  readonly said: string;

  constructor(args: readonly string[], exit: Exit, stderr: string) {
    const said = maskUsers(stderr.trim());
    super(`git ${args.find((arg) => !arg.startsWith("-"))} said: ${said.split("\n").slice(-5).join("; ")}`);
    this.name = "GitError";
    this.exit = exit;
    this.said = said;
  }
}

// Settings that make git independent of the machine's configuration and hooks. Protocols are forbidden unless allowed.
const CONFIG = [
  // The operator has named the folder, so it may belong to another user.
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
  // Keeps git from reading ~/.netrc and ~/.gitconfig.
  HOME: "/dev/null",
  XDG_CONFIG_HOME: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
  // Keeps `git status` from writing to the repository.
  GIT_OPTIONAL_LOCKS: "0",
  // Prompts fail at once. The empty GIT_ASKPASS keeps git and git-lfs from looking for another program that prompts.
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "",
  SSH_ASKPASS_REQUIRE: "never",
};

/** Whether git may inherit a variable. Most GIT_* variables could name other repositories and settings. */
const isHarmless = (name: string) => !name.startsWith("GIT_") || /^GIT_(SSL|HTTP|PROXY)_/.test(name);

/** Everything that git gets from the task for which it runs. */
export interface GitSurroundings {
  /** Environment that git inherits, including PATH. */
  env: Readonly<Record<string, string>>;
  /** Value of SIGNALMAN_TASK in git's environment, by which stray processes are found. */
  marker: string;
  /** Returns how git is separated from the service, given the folders that it writes to. */
  enclose: (uses: { cwd: string; writable: readonly string[] }) => Enclosure | undefined;
}

/** Creates a function that runs git. */
export function createRunGit({ env, marker, enclose }: GitSurroundings): RunGit {
  const inherited = Object.fromEntries(Object.entries(env).filter(([name]) => isHarmless(name)));
  return async (args, { cwd, gitDir, workTree, writes = [], signal, config = [], idleMs, ...options }) => {
    const writable = [cwd, gitDir, workTree, ...writes].filter((path) => path !== undefined && path !== "/");
    const settings = [...CONFIG, ...config].flatMap((setting) => ["-c", setting]);
    const paths = [
      ...(gitDir === undefined ? [] : [`--git-dir=${gitDir}`]),
      ...(workTree === undefined ? [] : [`--work-tree=${workTree}`]),
    ];
    const result = await runCommand({
      command: "git",
      args: [...paths, ...settings, ...args],
      cwd,
      env: { ...inherited, ...ENVIRONMENT, GIT_CEILING_DIRECTORIES: dirname(cwd), ...options.env },
      marker,
      signal,
      ...(idleMs === undefined ? {} : { idleMs }),
      onLine: (line, stream) =>
        (stream === "stderr" ? options.onProgress : options.onOutput)?.(maskUsers(line)),
      leftovers: "spared",
      enclosure: enclose({ cwd, writable: writable as string[] }),
    }).catch((cause: unknown) => {
      if (!(cause instanceof CannotStartError)) throw cause;
      throw new PrepareError(`Cannot check out the repository: ${cause.message}`, { cause });
    });
    const { exit } = result;
    if (exit.kind !== "code" || exit.code !== 0) throw new GitError(args, exit, result.stderr);
    return result.stdout.trimEnd();
  };
}
