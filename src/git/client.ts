import { stat } from "node:fs/promises";
import { join } from "node:path";
import { execa, type Result } from "execa";
import { PrepareError } from "../task/errors.ts";

export interface CheckOut {
  /** The repository's folder. */
  source: string;
  /** Exists and is empty. */
  target: string;
  /** Empty: the one that the repository has checked out. */
  gitBranch: string;
  /** Empty: the tip of the branch. */
  commit: string;
  say(text: string): void;
}

export interface Git {
  isRepository(path: string): Promise<boolean>;
  /**
   * Clones at a resolved commit, detached, sharing the source's objects.
   * @throws PrepareError with git's own words; the signal's reason.
   */
  checkOut(options: CheckOut, signal: AbortSignal): Promise<{ hash: string; message: string }>;
}

/** Git hands no setting on to the process that reads the source: it gets its own, through a shell. */
const READER = "git -c 'safe.directory=*' upload-pack";
const CLONE = ["clone", "--quiet", "--shared", "--no-checkout", `--upload-pack=${READER}`];

/** A commit's message on record is cut at this many characters. */
const MESSAGE_LENGTH = 100;

/** @param marker is put into the environment of every git process, as `SIGNALMAN_TASK`, to find strays by. */
export function createGit(marker: string): Git {
  const env = {
    PATH: process.env.PATH ?? "",
    SIGNALMAN_TASK: marker,
    GIT_TERMINAL_PROMPT: "0",
    // Looking at a repository must not write to it.
    GIT_OPTIONAL_LOCKS: "0",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    LC_ALL: "C",
  };

  async function git(cwd: string, args: readonly string[], signal: AbortSignal): Promise<string> {
    // The operator named this folder: that it belongs to another user is no reason to refuse it.
    const result: Result = await execa(
      "git",
      ["-c", "safe.directory=*", "-c", "advice.detachedHead=false", ...args],
      {
        cwd,
        env,
        extendEnv: false,
        stdin: "ignore",
        reject: false,
        cancelSignal: signal,
        forceKillAfterDelay: 2000,
      },
    );
    signal.throwIfAborted();
    if (result.code === "ENOENT")
      throw new PrepareError("Cannot check out the repository: there is no `git` on this server; install it");
    if (result.failed) throw new GitError(args, String(result.stderr || result.message));
    return String(result.stdout).trimEnd();
  }

  return {
    isRepository: async (path) =>
      (await exists(join(path, ".git"))) ||
      ((await exists(join(path, "HEAD"))) && (await exists(join(path, "objects")))),

    async checkOut({ source, target, gitBranch, commit, say }, signal) {
      const hash = await resolve(source, gitBranch, commit, signal);
      const dirty = await git(source, ["status", "--porcelain", "--untracked-files=normal"], signal).catch(
        () => "",
      );
      if (dirty)
        say(
          `${source} has uncommitted changes, which are left out:\n${dirty.split("\n").slice(0, 10).join("\n")}`,
        );
      await git(target, [...CLONE, "--", source, "."], signal).catch(explain(source));
      await git(target, ["checkout", "--quiet", "--detach", hash], signal).catch(explain(source));
      const message = await git(target, ["log", "-1", "--format=%s", hash], signal).catch(explain(source));
      return { hash, message: [...message].slice(0, MESSAGE_LENGTH).join("") };
    },
  };

  async function resolve(
    source: string,
    branch: string,
    commit: string,
    signal: AbortSignal,
  ): Promise<string> {
    const wanted = commit || (branch ? `refs/heads/${branch}` : "HEAD");
    return git(
      source,
      ["rev-parse", "--verify", "--quiet", "--end-of-options", `${wanted}^{commit}`],
      signal,
    ).catch((cause) => {
      signal.throwIfAborted();
      if (!(cause instanceof GitError)) throw cause;
      const what = commit ? `commit ${commit}` : branch ? `branch ${branch}` : "commit";
      throw new PrepareError(`Cannot check out ${source}: it has no ${what}`, { cause });
    });
  }

  function explain(source: string) {
    return (cause: unknown): never => {
      if (!(cause instanceof GitError)) throw cause;
      throw new PrepareError(`Cannot check out ${source}: ${cause.message}`, { cause });
    };
  }
}

class GitError extends Error {
  constructor(args: readonly string[], stderr: string) {
    super(
      `git ${args.find((arg) => !arg.startsWith("-"))} said: ${stderr.trim().split("\n").slice(-5).join("; ")}`,
    );
    this.name = "GitError";
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
