import { CannotStart, runCommand } from "../process/command.ts";
import { PrepareError } from "../task/errors.ts";
import type { Exit } from "../task/exit.ts";

export interface RunOptions {
  cwd: string;
  signal: AbortSignal;
  /** More settings, `name=value`. */
  config?: readonly string[] | undefined;
  env?: Readonly<Record<string, string>> | undefined;
  /** Ends it when it has said nothing for so long. */
  idleMs?: number | undefined;
  /** What it says of its progress. */
  onProgress?: ((line: string) => void) | undefined;
}

/**
 * Runs git and returns what it printed, without the last newline.
 * @throws GitFailed; TimedOut; PrepareError if there is no git; the signal's reason.
 */
export type RunGit = (args: readonly string[], options: RunOptions) => Promise<string>;

/** Git did not succeed. */
export class GitFailed extends Error {
  readonly exit: Exit;
  /** The last lines of what it said. */
  readonly said: string;

  constructor(args: readonly string[], exit: Exit, stderr: string) {
    const said = stderr.trim().split("\n").slice(-5).join("; ");
    super(`git ${args.find((arg) => !arg.startsWith("-"))} said: ${said}`);
    this.name = "GitFailed";
    this.exit = exit;
    this.said = stderr.trim();
  }
}

// Of the machine's settings none counts, hooks neither; what is not allowed is forbidden.
const CONFIG = [
  // The operator named this folder: that it belongs to another user is no reason to refuse it.
  "safe.directory=*",
  "advice.detachedHead=false",
  "core.hooksPath=/dev/null",
  "gc.auto=0",
  "maintenance.auto=false",
  "credential.helper=",
  "protocol.allow=never",
];
const ENVIRONMENT = {
  LC_ALL: "C",
  // No ~/.netrc, no ~/.gitconfig.
  HOME: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  // Looking at a repository must not write to it.
  GIT_OPTIONAL_LOCKS: "0",
  // Every question fails at once: empty, this one keeps git, and git-lfs, from looking for another program to ask.
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "",
  SSH_ASKPASS_REQUIRE: "never",
};

/** @param env what git inherits, PATH among it. @param marker of the task, to find strays by. */
export function createRunGit(env: Readonly<Record<string, string>>, marker: string): RunGit {
  return async (args, { cwd, signal, config = [], idleMs, onProgress, ...options }) => {
    const settings = [...CONFIG, ...config].flatMap((setting) => ["-c", setting]);
    const result = await runCommand({
      command: "git",
      args: [...settings, ...args],
      cwd,
      env: { ...env, ...ENVIRONMENT, ...options.env },
      marker,
      signal,
      ...(idleMs === undefined ? {} : { idleMs }),
      ...(onProgress ? { onLine: (line, stream) => stream === "stderr" && onProgress(line) } : {}),
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
