import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TimedOut } from "../process/command.ts";
import { PrepareError } from "../task/errors.ts";
import { subjectOf } from "./clone.ts";
import type { Mirrors } from "./mirrors.ts";
import { type CheckOut, gitDirOf, placeFolder, placeRemote } from "./place.ts";
import { isSamePlace, maskUsers, parseRemote, type RemoteUrl, resolveSubmodule } from "./remote-url.ts";
import { findCommit } from "./revision.ts";
import { createRunGit, GitFailed, repositoryAt, workspaceAt } from "./run.ts";
import type { SshSettings } from "./ssh-options.ts";
import { listSubmodules, makeFolder, type Submodule } from "./submodules.ts";

export interface Git {
  /**
   * Clones at a resolved commit, detached; a remote by way of its mirror. With its submodules, theirs too.
   * @throws PrepareError that says what went wrong; the signal's reason.
   */
  checkOut(options: CheckOut, signal: AbortSignal): Promise<{ hash: string; message: string }>;
}

export interface GitOptions {
  mirrors: Mirrors;
  ssh: SshSettings;
  /** What git inherits, PATH among it. */
  env: Readonly<Record<string, string>>;
  /** Of the task: put into every git process's environment as `SIGNALMAN_TASK`, to find strays by. */
  marker: string;
}

/** A commit's message on record is cut at this many characters. */
const MESSAGE_LENGTH = 100;
/** Submodules in submodules; deeper ones go round in a circle. */
const MAX_NESTING = 10;

/** Whether a folder with these names in it is one where git keeps its things. */
export function holdsRepository(names: readonly string[]): boolean {
  return names.includes(".git") || (names.includes("HEAD") && names.includes("objects"));
}

export function createGit({ mirrors, ssh, env, marker }: GitOptions): Git {
  const run = createRunGit(env, marker);
  const placing = { mirrors, ssh, run };

  return {
    async checkOut(options, signal) {
      if (typeof options.source === "string") await tellChanges(options.source, options.say, signal);
      const hash = await placeWhole(options, 0, signal);
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
    if (gitDir === source) return; // a bare one has none
    // Renames are not looked for: for that a partial clone would fetch.
    const status = ["status", "--porcelain", "--untracked-files=normal", "--no-renames"];
    const dirty = await run(status, { cwd: source, gitDir, signal }).catch((error: unknown) => {
      if (error instanceof GitFailed) return ""; // the check-out tells what is wrong with it
      throw error;
    });
    if (dirty === "") return;
    const some = dirty.split("\n").slice(0, 10).join("\n");
    say(`${source} has uncommitted changes, which are left out:\n${some}`);
  }

  /** A repository, with its submodules if they are wanted; returns the commit. */
  async function placeWhole(options: CheckOut, nesting: number, signal: AbortSignal): Promise<string> {
    try {
      const hash = await place(options, signal);
      if (!options.skipSubmodules) await placeSubmodules(options, hash, nesting + 1, signal);
      return hash;
    } catch (cause) {
      if (!(cause instanceof GitFailed || cause instanceof TimedOut)) throw cause;
      throw new PrepareError(`Cannot check out ${nameOf(options.source)}: ${cause.message}`, { cause });
    }
  }

  /** The repository itself, without its submodules; returns the commit. */
  function place(options: CheckOut, signal: AbortSignal): Promise<string> {
    const { source } = options;
    return typeof source === "string"
      ? placeFolder(placing, { ...options, source }, signal)
      : placeRemote(placing, { ...options, source }, signal);
  }

  async function placeSubmodules(
    parent: CheckOut,
    hash: string,
    nesting: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { target } = parent;
    for (const submodule of await listSubmodules(run, target, hash, signal)) {
      if (nesting > MAX_NESTING)
        throw new PrepareError(
          `Cannot check out the submodule ${submodule.path}: there are too many in each other`,
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
        target: await makeFolder(target, submodule.path),
      };
      await placeWhole(options, nesting, signal);
      const url = typeof source === "string" ? source : source.text;
      await run(["config", `submodule.${submodule.name}.url`, url], { ...workspaceAt(target), signal });
    }
  }

  /** Of a folder of this server, the submodule's own folder if it has the commit, which may never have been pushed. */
  async function sourceOf(parent: CheckOut, submodule: Submodule, signal: AbortSignal) {
    const { source } = parent;
    const { name, url, hash } = submodule;
    if (typeof source !== "string") return remoteOf(resolveSubmodule(url, source.text), url);
    const read = (...args: string[]) =>
      run(args, { ...repositoryAt(gitDir), signal }).catch((error: unknown) => {
        if (error instanceof GitFailed) return "";
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

/** A remote's submodules are remote ones: it may not reach into this server's disk. */
function remoteOf(resolved: string, url: string): RemoteUrl {
  const remote = parseRemote(resolved);
  if (remote) return remote;
  throw new PrepareError(
    `Cannot check out a submodule: ${JSON.stringify(maskUsers(url))} is no https://, http:// or ssh:// URL without a password, nor user@host:path`,
  );
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
