import { sayProgress } from "./progress.ts";
import type { RunGit } from "./run.ts";

export interface Clone {
  /** A repository on this machine. */
  source: string;
  /** Exists and is empty. */
  target: string;
  hash: string;
  /** Commits of history; 0: all. */
  depth: number;
  /** What is known as `origin` there, and what the repository is called in sentences. */
  origin: string;
  /** For the checkout alone: what fills in the files that git LFS keeps. */
  config?: readonly string[];
  env?: Readonly<Record<string, string>>;
  idleMs?: number;
  run: RunGit;
  say(text: string): void;
}

/** Git hands no setting on to the process that reads the source: it gets its own, through a shell. */
const READER = "git -c 'safe.directory=*' -c uploadpack.allowAnySHA1InWant=true upload-pack";
const LOCAL = ["protocol.file.allow=always"];

/**
 * Clones at a commit, detached; with all of the history the objects are shared, and else copied.
 * @throws GitFailed; TimedOut; the signal's reason.
 */
export async function clone(options: Clone, signal: AbortSignal): Promise<void> {
  const { source, target, hash, depth, origin, run, say } = options;
  const git = (args: readonly string[]) => run(args, { cwd: target, signal, config: LOCAL });
  if (depth === 0) {
    const how = ["--quiet", "--shared", "--no-checkout", "--template=", `--upload-pack=${READER}`];
    await git(["clone", ...how, "--", source, "."]);
    if (origin !== source) await git(["config", "remote.origin.url", origin]);
  } else {
    await git(["init", "--quiet", "--template="]);
    const how = ["--quiet", "--no-tags", `--depth=${depth}`, `--upload-pack=${READER}`];
    await git(["fetch", ...how, "--", source, hash]);
    await git(["remote", "add", "--", "origin", origin]);
  }
  await run(["checkout", "--progress", "--detach", hash], {
    cwd: target,
    signal,
    config: [...LOCAL, ...(options.config ?? [])],
    env: options.env,
    idleMs: options.idleMs,
    onProgress: sayProgress(`Checking out ${origin}`, say),
  });
}

/** First line of a commit's message. */
export async function subjectOf(
  run: RunGit,
  repository: string,
  hash: string,
  signal: AbortSignal,
): Promise<string> {
  return run(["log", "-1", "--format=%s", hash], { cwd: repository, signal });
}
