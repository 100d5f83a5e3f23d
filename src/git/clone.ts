import { sayProgress } from "./progress.ts";
import { GitFailed, type RunGit, workspaceAt } from "./run.ts";

export interface Clone {
  /** The git directory of a repository on this machine. */
  source: string;
  /** Exists and is empty. */
  target: string;
  hash: string;
  /** `refs/tags/…`: kept although the history is cut. */
  tag?: string | undefined;
  /** Commits of history; 0: all. */
  depth: number;
  /** Copy the objects instead of borrowing the source's. */
  copyObjects: boolean;
  /** What is known as `origin` there. */
  origin: string;
  /** What the repository is called in sentences. */
  shown: string;
  /** For the checkout alone: what fills in the files that git LFS keeps, or what the source lacks. */
  config?: readonly string[];
  env?: Readonly<Record<string, string>>;
  idleMs?: number;
  run: RunGit;
  say(text: string): void;
}

/** Git hands no setting on to the process that reads the source: it gets its own, through a shell. */
export const READER =
  "git -c 'safe.directory=*' -c protocol.allow=never -c uploadpack.allowAnySHA1InWant=true upload-pack";
export const LOCAL = ["protocol.file.allow=always"];
/** Names that are told of the files that are missing. */
const NAMED = 10;

/** Git ended well, but left out some of the commit's files. */
export class HalfCheckout extends GitFailed {
  constructor(missing: readonly string[], said: readonly string[]) {
    super(["checkout"], { kind: "code", code: 0 }, said.join("\n"));
    this.name = "HalfCheckout";
    const names = missing.slice(0, NAMED).join(", ") + (missing.length > NAMED ? ", …" : "");
    const reason = this.said ? ` (${this.said.split("\n").slice(0, 3).join("; ")})` : "";
    this.message = `${missing.length} of its files could not be written: ${names}${reason}`;
  }
}

/**
 * Clones at a commit, detached. With all of the history the objects are borrowed unless they are to be copied; with a part
 * of it they are always copied.
 * @throws GitFailed, HalfCheckout among them; TimedOut; the signal's reason.
 */
export async function clone(options: Clone, signal: AbortSignal): Promise<void> {
  if (options.depth === 0) await cloneWhole(options, signal);
  else await fetchPart(options, signal);
  await checkOutFiles(options, signal);
}

/** A clone with all of the history, without files. */
export async function cloneWhole(
  { source, target, copyObjects, origin, run }: Clone,
  signal: AbortSignal,
): Promise<void> {
  // Dissociate: the source may borrow from others.
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
  const place = workspaceAt(target);
  await run(["fetch", ...how, "--", source, ...refs], { ...place, signal, config: LOCAL });
  await run(["remote", "add", "--", "origin", origin], { ...place, signal });
}

/**
 * Writes the files of a commit. Git's checkout ends with 0 when it could not write a file, because its object is missing
 * or the disk is full; so the files are compared with the commit's tree.
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
  if (missing !== "") throw new HalfCheckout(missing.split("\n"), errors);
}

/** First line of a commit's message. */
export async function subjectOf(
  run: RunGit,
  workspace: string,
  hash: string,
  signal: AbortSignal,
): Promise<string> {
  return run(["log", "-1", "--format=%s", hash], { ...workspaceAt(workspace), signal });
}
