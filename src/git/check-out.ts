import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../files/owned.ts";
import { removeTree } from "../process/remove-tree.ts";
import { type GitAccess, reach } from "./access.ts";
import { type Clone, clone } from "./clone.ts";
import { isSourceDamage } from "./failures.ts";
import { lfsConfig } from "./lfs.ts";
import type { Mirrors } from "./mirrors.ts";
import { fillPartialClone, promisorOf } from "./partial-clone.ts";
import type { RemoteUrl } from "./remote-url.ts";
import { findCommit, refuse, type Wanted } from "./revision.ts";
import type { GitError, RunGit } from "./run.ts";
import type { SshSettings } from "./ssh-options.ts";

export interface CheckOut extends Wanted {
  /** Repository to check out: a folder on this machine, or a remote. */
  source: string | RemoteUrl;
  /** Credentials for a remote. */
  access: GitAccess;
  /** Name of the access key that `access` comes from; empty: none. */
  key: string;
  /** Folder to check out into, which exists and is empty. */
  target: string;
  /** Number of commits of history to clone; 0: all. */
  depth: number;
  /** Copy all objects into the target instead of borrowing those of the source. */
  copyObjects: boolean;
  lfs: boolean;
  skipSubmodules: boolean;
  say(text: string): void;
}

export interface CheckOutDeps {
  mirrors: Mirrors;
  ssh: SshSettings;
  run: RunGit;
  /** Called with each mirror from which a clone may borrow objects. */
  onMirror: (path: string) => void;
  /** Called with each git directory of a user before it is read. @throws PrepareError if no task may read it */
  onFolder: (gitDir: string) => void;
}

/** Checks out a repository in a folder on this machine, without submodules; returns the commit's hash. */
export async function checkOutFolder(
  { run, mirrors, ssh, onFolder }: CheckOutDeps,
  options: CheckOut & { source: string },
  signal: AbortSignal,
): Promise<string> {
  const { source, target, say } = options;
  const gitDir = await gitDirOf(source);
  onFolder(gitDir);
  const found = (await findCommit(run, gitDir, options, "HEAD", signal)) ?? refuse(source, options);
  const config = options.lfs ? await lfsConfig(run, { cwd: target, storage: undefined, signal }) : [];
  const wanted: Clone = { ...options, ...found, source: gitDir, origin: source, shown: source, config, run };
  try {
    await clone(wanted, signal);
  } catch (error) {
    const promisor = isSourceDamage(error) ? await promisorOf(run, gitDir, signal) : undefined;
    if (!promisor) throw error;
    say(`${source} is a partial clone; missing objects are fetched from its origin`);
    await empty(target);
    await fillPartialClone(wanted, promisor, { ssh, idleMs: mirrors.idleMs }, signal);
  }
  return found.hash;
}

/**
 * Checks out a remote through its mirror, without submodules; returns the commit's hash. If the mirror turns out to be
 * damaged, it is replaced and the check-out tried once more.
 */
export async function checkOutRemote(
  deps: CheckOutDeps,
  options: CheckOut & { source: RemoteUrl },
  signal: AbortSignal,
): Promise<string> {
  const { mirrors } = deps;
  const first = await checkOutFromMirror(deps, options, signal);
  if (!first.damage) return first.hash;
  mirrors.distrust(first.mirror, first.damage);
  await empty(options.target);
  const second = await checkOutFromMirror(deps, options, signal);
  if (!second.damage) return second.hash;
  mirrors.acquit(second.mirror);
  throw second.damage;
}

/** Returns `damage` if the check-out failed because the mirror has missing or corrupt objects. */
async function checkOutFromMirror(
  { mirrors, ssh, run, onMirror }: CheckOutDeps,
  options: CheckOut & { source: RemoteUrl },
  signal: AbortSignal,
): Promise<{ hash: string; mirror: string; damage?: GitError }> {
  const { source: remote, target } = options;
  const way = reach(remote, options.access, ssh);
  const { mirror, ...found } = await mirrors.fetch(
    { ...options, remote, reach: way, wanted: options, run },
    signal,
  );
  onMirror(mirror);
  const { text: origin, shown } = remote;
  const base: Clone = { ...options, ...found, source: mirror, origin, shown, run };
  try {
    if (!options.lfs) await clone(base, signal);
    else {
      const storage = join(mirror, "lfs");
      if (!existsSync(storage)) makeFolder(storage, mirrors.owner);
      const config = await lfsConfig(run, { cwd: target, storage, signal });
      const rest = { writes: [storage], env: way.env, idleMs: mirrors.idleMs };
      await clone({ ...base, ...rest, config: [...way.config, ...config] }, signal);
    }
    return { hash: found.hash, mirror };
  } catch (damage) {
    if (!isSourceDamage(damage)) throw damage;
    return { hash: found.hash, mirror, damage };
  }
}

/** Returns the git directory of a repository: `.git` in it, or the folder itself if the repository is bare. */
export async function gitDirOf(folder: string): Promise<string> {
  const inside = join(folder, ".git");
  return stat(inside).then(
    () => inside,
    () => folder,
  );
}

async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await removeTree(join(folder, name));
}
