import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { removeTree } from "../process/remove-tree.ts";
import { type GitAccess, reach } from "./access.ts";
import { type Clone, clone } from "./clone.ts";
import { isSourceDamage } from "./failures.ts";
import { lfsConfig } from "./lfs.ts";
import type { Mirrors } from "./mirrors.ts";
import { fillPartialClone, promisorOf } from "./partial-clone.ts";
import type { RemoteUrl } from "./remote-url.ts";
import { findCommit, refuse, type Wanted } from "./revision.ts";
import type { GitFailed, RunGit } from "./run.ts";
import type { SshSettings } from "./ssh-options.ts";

export interface CheckOut extends Wanted {
  /** The repository: a folder of this server, or a remote. */
  source: string | RemoteUrl;
  /** What opens a remote, and the name of the access key that says so. */
  access: GitAccess;
  key: string;
  /** Exists and is empty. */
  target: string;
  /** Commits of history; 0: all. */
  depth: number;
  /** Copy all objects into the target instead of borrowing them. */
  copyObjects: boolean;
  lfs: boolean;
  skipSubmodules: boolean;
  say(text: string): void;
}

export interface Placing {
  mirrors: Mirrors;
  ssh: SshSettings;
  run: RunGit;
}

/** Fills the target from a folder of this server, without submodules; returns the commit. */
export async function placeFolder(
  { run, mirrors, ssh }: Placing,
  options: CheckOut & { source: string },
  signal: AbortSignal,
): Promise<string> {
  const { source, target, say } = options;
  const gitDir = await gitDirOf(source);
  const found = (await findCommit(run, gitDir, options, "HEAD", signal)) ?? refuse(source, options);
  const config = options.lfs ? await lfsConfig(run, { cwd: target, storage: undefined, signal }) : [];
  const wanted: Clone = { ...options, ...found, source: gitDir, origin: source, shown: source, config, run };
  try {
    await clone(wanted, signal);
  } catch (error) {
    const promisor = isSourceDamage(error) ? await promisorOf(run, gitDir, signal) : undefined;
    if (!promisor) throw error;
    say(`${source} is a partial clone: what it lacks is fetched from where it was cloned`);
    await empty(target);
    await fillPartialClone(wanted, promisor, { ssh, idleMs: mirrors.idleMs }, signal);
  }
  return found.hash;
}

/** Fills the target from a remote by way of its mirror, without submodules; returns the commit. */
export async function placeRemote(
  placing: Placing,
  options: CheckOut & { source: RemoteUrl },
  signal: AbortSignal,
): Promise<string> {
  const { mirrors } = placing;
  const first = await placeFromMirror(placing, options, signal);
  if (!first.damage) return first.hash;
  mirrors.distrust(first.mirror, first.damage);
  await empty(options.target);
  const second = await placeFromMirror(placing, options, signal);
  if (!second.damage) return second.hash;
  mirrors.acquit(second.mirror);
  throw second.damage;
}

/** `damage`: the check-out failed because the mirror lacks something. */
async function placeFromMirror(
  { mirrors, ssh, run }: Placing,
  options: CheckOut & { source: RemoteUrl },
  signal: AbortSignal,
): Promise<{ hash: string; mirror: string; damage?: GitFailed }> {
  const { source: remote, target } = options;
  const way = reach(remote, options.access, ssh);
  const { mirror, ...found } = await mirrors.fetch(
    { ...options, remote, reach: way, wanted: options, run },
    signal,
  );
  const { text: origin, shown } = remote;
  const base: Clone = { ...options, ...found, source: mirror, origin, shown, run };
  try {
    if (!options.lfs) await clone(base, signal);
    else {
      const config = await lfsConfig(run, { cwd: target, storage: join(mirror, "lfs"), signal });
      await clone(
        { ...base, config: [...way.config, ...config], env: way.env, idleMs: mirrors.idleMs },
        signal,
      );
    }
    return { hash: found.hash, mirror };
  } catch (damage) {
    if (!isSourceDamage(damage)) throw damage;
    return { hash: found.hash, mirror, damage };
  }
}

/** Where git keeps its things: in `.git`, unless the repository is bare. */
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
