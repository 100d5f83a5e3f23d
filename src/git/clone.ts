import { sayProgress } from "./progress.ts";
import { GitError, type RunGit, workspaceAt } from "./run.ts";

export interface Clone {
  /** The git directory of a repository on this machine. */
  source: string;
  /** Folder to clone into, which exists and is empty. */
  target: string;
  hash: string;
  /** Full name of the requested tag (`refs/tags/…`), which a shallow clone fetches too; undefined: no tag was requested. */
  tag?: string | undefined;
  /** Number of commits of history to clone; 0: all. */
  depth: number;
  /** Copy the objects instead of borrowing those of the source. */
  copyObjects: boolean;
  /** URL of the remote `origin` in the clone. */
  origin: string;
  /** Name of the repository in messages. */
  shown: string;
  /** Settings for the checkout only, which fetch files of git LFS or objects that the source lacks. */
  config?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** Folders beside the target that the checkout writes to. */
  writes?: readonly string[];
  idleMs?: number;
  run: RunGit;
  say(text: string): void;
}

/** Command that reads the source. Git does not pass its settings on to that process, so they stand in the command. */
export const READER =
  "git -c 'safe.directory=*' -c protocol.allow=never -c uploadpack.allowAnySHA1InWant=true upload-pack";
export const LOCAL = ["protocol.file.allow=always"];
/** Number of missing files that a message names. */
const NAMED = 10;

/** Git exited with 0 but did not write all files of the commit. */
export class IncompleteCheckoutError extends GitError {
  constructor(missing: readonly string[], said: readonly string[]) {
    super(["checkout"], { kind: "code", code: 0 }, said.join("\n"));
    this.name = "IncompleteCheckoutError";
    const names = missing.slice(0, NAMED).join(", ") + (missing.length > NAMED ? ", …" : "");
    const reason = this.said ? ` (${this.said.split("\n").slice(0, 3).join("; ")})` : "";
    this.message = `${missing.length} of its files could not be written: ${names}${reason}`;
  }
}

/**
 * Clones a repository on this machine at a commit, detached. A clone with the whole history borrows the source's objects
 * unless `copyObjects` is set; a shallow clone always copies them.
 * @throws GitError, of which IncompleteCheckoutError is one; TimedOutError; the signal's reason.
 */
export async function clone(options: Clone, signal: AbortSignal): Promise<void> {
  if (options.depth === 0) await cloneWhole(options, signal);
  else await fetchPart(options, signal);
  await checkOutFiles(options, signal);
}

/** Clones with the whole history, without writing files. */
export async function cloneWhole(
  { source, target, copyObjects, origin, run }: Clone,
  signal: AbortSignal,
): Promise<void> {
  // --dissociate, since the source may itself borrow objects from other repositories.
  const objects = copyObjects ? ["--no-hardlinks", "--dissociate"] : ["--shared"];
  const how = ["--quiet", ...objects, "--no-checkout", "--template=", `--upload-pack=${READER} --strict`];
  await run(["clone", ...how, "--", source, "."], { cwd: target, signal, config: LOCAL });
  await run(["config", "remote.origin.url", origin], { ...workspaceAt(target), signal });
}

async function fetchPart(
  { source, target, hash, tag, depth, origin, run }: Clone,
  signal: AbortSignal,
): Promise<void> {
  const format = hash.length === 64 ? ["--object-format=sha256"] : [];
  await run(["init", "--quiet", "--template=", ...format], { cwd: target, signal });
  const how = ["--quiet", "--no-tags", `--depth=${depth}`, `--upload-pack=${READER} --strict`];
  const refs = tag ? [hash, `${tag}:${tag}`] : [hash];
  const paths = workspaceAt(target);
  await run(["fetch", ...how, "--", source, ...refs], { ...paths, signal, config: LOCAL });
  await run(["remote", "add", "--", "origin", origin], { ...paths, signal });
}

/**
 * Writes the files of a commit and compares them with its tree: `git checkout` exits with 0 even if it could not write a file
 * because its object is missing or the disk is full.
 * @throws IncompleteCheckoutError if files are missing; GitError; TimedOutError; the signal's reason.
 */
export async function checkOutFiles(options: Clone, signal: AbortSignal): Promise<void> {
  const { target, hash, run, shown, say } = options;
  const errors: string[] = [];
  const tellProgress = sayProgress(`Checking out ${shown}`, say);
  await run(["checkout", "--progress", "--detach", hash], {
    ...workspaceAt(target),
    signal,
    config: [...LOCAL, ...(options.config ?? [])],
    env: options.env,
    writes: options.writes,
    idleMs: options.idleMs,
    onProgress(line) {
      if (errors.length < NAMED && /^(error|fatal): /.test(line)) errors.push(line);
      tellProgress(line);
    },
  });
  const compare = [
    "diff-index",
    "--name-only",
    "--diff-filter=DT",
    "--no-renames",
    "--ignore-submodules=all",
    hash,
  ];
  const missing = await run(compare, { ...workspaceAt(target), signal });
  if (missing !== "") throw new IncompleteCheckoutError(missing.split("\n"), errors);
}

/** Returns the first line of a commit's message. */
export async function subjectOf(
  run: RunGit,
  workspace: string,
  hash: string,
  signal: AbortSignal,
): Promise<string> {
  return run(["log", "-1", "--format=%s", hash], { ...workspaceAt(workspace), signal });
}
