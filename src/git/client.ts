import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TimedOutError } from "../process/command.ts";
import { PrepareError } from "../task/errors.ts";
import { type CheckOut, checkOutFolder, checkOutRemote, gitDirOf } from "./check-out.ts";
import { subjectOf } from "./clone.ts";
import type { Mirrors } from "./mirrors.ts";
import { isSamePlace, maskUsers, parseRemote, type RemoteUrl, resolveSubmodule } from "./remote-url.ts";
import { findCommit } from "./revision.ts";
import { createRunGit, GitError, type GitSurroundings, repositoryAt, workspaceAt } from "./run.ts";
import type { SshSettings } from "./ssh-options.ts";
import { listSubmodules, makeSubmoduleFolder, type Submodule } from "./submodules.ts";

/*
 * Checks out repositories for tasks.
 *
 * A folder on this machine is cloned directly (check-out.ts). A remote is fetched into its mirror first (mirrors.ts): one bare
 * copy for each pair of URL and access key, which all tasks clone from, so that a task fetches only what is new. By default a
 * clone borrows the objects of its source instead of copying them; mirrors are therefore never garbage-collected, and a
 * damaged mirror is replaced by a new generation while tasks may still borrow from it (generations.ts).
 *
 * The commit is resolved first (revision.ts), checked out detached, and its files are compared with its tree (clone.ts).
 * Submodules are cloned in the same way, with the access key only on the same host (submodules.ts).
 *
 * Git runs without prompts, hooks and the machine's configuration (run.ts). Its failures become sentences for the task's
 * owner (failures.ts). Access keys are made usable elsewhere; this room gets a file or an agent (access.ts).
 */

export interface Git {
  /**
   * Clones a repository at the resolved commit, detached, with all nested submodules; a remote through its mirror.
   * @throws PrepareError that says what failed; the signal's reason.
   */
  checkOut(options: CheckOut, signal: AbortSignal): Promise<{ hash: string; message: string }>;
}

export interface GitOptions extends GitSurroundings {
  mirrors: Mirrors;
  ssh: SshSettings;
  /** Called with each mirror from which a clone may borrow objects. */
  onMirror: (path: string) => void;
  /** Called with each git directory of a user before it is read. @throws PrepareError if no task may read it */
  onFolder: (gitDir: string) => void;
}

/** Characters of a commit's message that are stored. */
const MESSAGE_LENGTH = 100;
/** Levels of nested submodules that are accepted; a repository may contain itself as a submodule. */
const MAX_NESTING = 10;

/** Whether a folder with entries of these names is a git repository, bare or not. */
export function holdsRepository(names: readonly string[]): boolean {
  return names.includes(".git") || (names.includes("HEAD") && names.includes("objects"));
}

export function createGit({ mirrors, ssh, onMirror, onFolder, ...surroundings }: GitOptions): Git {
  const run = createRunGit(surroundings);
  const deps = { mirrors, ssh, run, onMirror, onFolder };

  return {
    async checkOut(options, signal) {
      if (typeof options.source === "string") await tellChanges(options.source, options.say, signal);
      const hash = await checkOutWhole(options, 0, signal);
      const message = await subjectOf(run, options.target, hash, signal);
      return { hash, message: [...message].slice(0, MESSAGE_LENGTH).join("") };
    },
  };

  async function tellChanges(
    source: string,
    say: (text: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const gitDir = await gitDirOf(source);
    if (gitDir === source) return; // a bare repository has no working tree
    // Without detection of renames, for which a partial clone would fetch objects.
    const status = ["status", "--porcelain", "--untracked-files=normal", "--no-renames"];
    const dirty = await run(status, { cwd: source, gitDir, signal }).catch((error: unknown) => {
      if (error instanceof GitError) return ""; // the check-out reports the same failure
      throw error;
    });
    if (dirty === "") return;
    const some = dirty.split("\n").slice(0, 10).join("\n");
    say(`${source} has uncommitted changes, which are not checked out:\n${some}`);
  }

  /** Checks out a repository, with its submodules unless they are to be skipped; returns the commit's hash. */
  async function checkOutWhole(options: CheckOut, nesting: number, signal: AbortSignal): Promise<string> {
    try {
      const hash = await checkOutOne(options, signal);
      if (!options.skipSubmodules) await checkOutSubmodules(options, hash, nesting + 1, signal);
      return hash;
    } catch (cause) {
      if (!(cause instanceof GitError || cause instanceof TimedOutError)) throw cause;
      throw new PrepareError(`Cannot check out ${nameOf(options.source)}: ${cause.message}`, { cause });
    }
  }

  /** Checks out a repository without its submodules; returns the commit's hash. */
  function checkOutOne(options: CheckOut, signal: AbortSignal): Promise<string> {
    const { source } = options;
    return typeof source === "string"
      ? checkOutFolder(deps, { ...options, source }, signal)
      : checkOutRemote(deps, { ...options, source }, signal);
  }

  async function checkOutSubmodules(
    parent: CheckOut,
    hash: string,
    nesting: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { target } = parent;
    for (const submodule of await listSubmodules(run, target, hash, signal)) {
      if (nesting > MAX_NESTING)
        throw new PrepareError(
          `Cannot check out the submodule ${submodule.path}: submodules are nested more than ${MAX_NESTING} levels deep`,
        );
      const source = await sourceOf(parent, submodule, signal);
      const isTrusted =
        typeof source !== "string" && typeof parent.source !== "string" && isSamePlace(source, parent.source);
      const options: CheckOut = {
        ...parent,
        ...(isTrusted ? {} : { access: { kind: "none" }, key: "" }),
        source,
        gitBranch: "",
        commit: submodule.hash,
        target: await makeSubmoduleFolder(target, submodule.path, mirrors.owner),
      };
      await checkOutWhole(options, nesting, signal);
      const url = typeof source === "string" ? source : source.text;
      await run(["config", `submodule.${submodule.name}.url`, url], { ...workspaceAt(target), signal });
    }
  }

  /**
   * Returns the source of a submodule. For a repository on this machine, that is the submodule's own clone inside it, if it
   * has the commit, which may never have been pushed; else the submodule's URL.
   */
  async function sourceOf(parent: CheckOut, submodule: Submodule, signal: AbortSignal) {
    const { source } = parent;
    const { name, url, hash } = submodule;
    if (typeof source !== "string") return remoteOf(resolveSubmodule(url, source.text), url);
    const read = (...args: string[]) =>
      run(args, { ...repositoryAt(gitDir), signal }).catch((error: unknown) => {
        if (error instanceof GitError) return "";
        throw error;
      });
    const gitDir = await gitDirOf(source);
    const kept = join(await read("rev-parse", "--absolute-git-dir"), "modules", name);
    const wanted = { gitBranch: "", commit: hash };
    if ((await exists(kept)) && (await findCommit(run, kept, wanted, "HEAD", signal))) return kept;
    const origin = (await read("config", "--get", "remote.origin.url")) || source;
    const resolved = resolveSubmodule(url, origin);
    if (resolved.startsWith("file:///") && URL.canParse(resolved)) return fileURLToPath(resolved);
    return resolved.startsWith("/") ? resolved : remoteOf(resolved, url);
  }
}

function nameOf(source: string | RemoteUrl): string {
  return typeof source === "string" ? source : source.shown;
}

/** Parses a remote submodule's URL. Paths and file:// URLs are refused, so that no remote can read this server's disk. */
function remoteOf(resolved: string, url: string): RemoteUrl {
  const remote = parseRemote(resolved);
  if (remote) return remote;
  throw new PrepareError(
    `Cannot check out a submodule: its URL ${JSON.stringify(maskUsers(url))} is not allowed; expected an https://, http:// or ssh:// URL without a password, or user@host:path`,
  );
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
