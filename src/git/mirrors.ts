import { createHash } from "node:crypto";
import { readdir, rename, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { createKeyedQueue } from "../async/keyed-queue.ts";
import { retry } from "../async/retry.ts";
import type { Owner } from "../files/owned.ts";
import { removeTree } from "../process/remove-tree.ts";
import { PrepareError } from "../task/errors.ts";
import type { Reach } from "./access.ts";
import { explainFetch, isOtherFormat, isTimeout, isTransient, wordsOf } from "./failures.ts";
import { generationOf, listGenerations, mirrorOf, removeReplaced } from "./generations.ts";
import { damageOf, findObstacle, initialize, removeTraces } from "./mirror-folder.ts";
import { sayProgress } from "./progress.ts";
import type { RemoteUrl } from "./remote-url.ts";
import { type Found, findCommit, isWholeHash, refuse, type Wanted } from "./revision.ts";
import { type GitError, type RunGit, repositoryAt } from "./run.ts";

export interface Fetch {
  remote: RemoteUrl;
  /** Name of the access key; each key has a mirror of its own. Empty: no key. */
  key: string;
  reach: Reach;
  wanted: Wanted;
  run: RunGit;
  say(text: string): void;
}

/** Bare copies of remote repositories on this machine, from which tasks clone. */
export interface Mirrors {
  /** Milliseconds without output of git after which a fetch is given up. */
  readonly idleMs: number;
  /** User as whom git runs, who owns the mirrors; undefined: the server's. */
  readonly owner: Owner | undefined;
  /**
   * Updates the remote's mirror and finds the wanted commit. Fetches into one mirror run one after the other. A damaged mirror
   * is replaced by a new one.
   * @throws PrepareError if the fetch fails or the commit does not exist; the signal's reason.
   */
  fetch(fetch: Fetch, signal: AbortSignal): Promise<Found & { mirror: string }>;
  /** Marks a mirror as damaged, so that the next fetch replaces it. */
  distrust(mirror: string, error: Error): void;
  /** Exempts a mirror from `distrust`: a new mirror has the same damage, so the remote itself is damaged. */
  acquit(mirror: string): void;
  /**
   * Removes mirrors that no task has used since then, and replaced mirrors from which no task borrows. The caller ensures that
   * no existing task is older than `since`.
   */
  removeUnused(since: Date): Promise<void>;
}

export interface MirrorOptions {
  /** Folder of all mirrors. */
  root: string;
  owner?: Owner | undefined;
  /** Milliseconds without output of git after which a fetch is given up. */
  idleMs: number;
  /** Pauses in milliseconds, one before each retry. */
  retryMs: readonly number[];
  /** Returns the ids of tasks that have a folder on this machine. */
  tasks: () => Promise<readonly string[]>;
  /** Called once for each mirror that turns out to be damaged. */
  onDamaged: (mirror: string, error: Error) => void;
}

/** Ref for the remote's default branch. */
const HEAD = "refs/signalman/head";
// --prune: branches deleted on the remote cannot be checked out. Objects stay, since git gc is off.
const FETCH = "fetch --progress --force --prune --no-tags --no-auto-gc --no-write-fetch-head".split(" ");
const REFS = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
const NEW = ".new";

export function createMirrors({ root, owner, idleMs, retryMs, tasks, onDamaged }: MirrorOptions): Mirrors {
  const inTurn = createKeyedQueue();
  /** Mirrors whose last fetch by this server succeeded, so that no killed process has left a lock there. */
  const orderly = new Set<string>();
  /** Damaged mirrors, with the error that showed the damage. */
  const damaged = new Map<string, Error>();
  const acquitted = new Set<string>();
  /** Last timeout of each remote; fetches that were queued before it fail with the same error instead of waiting as long. */
  const silences = new Map<string, { at: number; error: unknown }>();

  function distrust(mirror: string, error: Error): void {
    if (damaged.has(mirror) || acquitted.has(mirror)) return;
    damaged.set(mirror, error);
    onDamaged(mirror, error);
  }

  return {
    idleMs,
    owner,
    distrust,
    acquit: (mirror) => void acquitted.add(mirror),
    async fetch(fetch, signal) {
      const name = nameOf(fetch);
      const asked = performance.now();
      return inTurn(name, signal, async () => {
        const silence = silences.get(name);
        if (silence && silence.at > asked) throw silence.error;
        const found = await fetchNewest(name, fetch, signal).catch((error: unknown) => {
          if (isTimeout(causeOf(error))) silences.set(name, { at: performance.now(), error });
          throw error;
        });
        silences.delete(name);
        return found;
      });
    },
    async removeUnused(since) {
      const entries = await readdir(root).catch(() => []);
      const turn = (name: string, work: () => Promise<void>) =>
        inTurn(name, new AbortController().signal, work);
      for (const entry of entries) {
        const path = join(root, entry);
        const isUnused = () =>
          stat(path).then(
            ({ mtime }) => mtime < since,
            () => false,
          );
        // Checked again in turn, since a task may have used the mirror meanwhile.
        const remove = async () => {
          if (await isUnused()) await removeTree(path);
        };
        if (await isUnused()) await turn(mirrorOf(entry), remove);
      }
      const replaced = entries.filter((entry) => entry !== mirrorOf(entry)).map(mirrorOf);
      for (const name of new Set(replaced)) await turn(name, () => removeReplaced(root, name, tasks));
    },
  };

  /** Fetches into the newest generation, or into a new one if there is none or the newest is damaged. */
  async function fetchNewest(name: string, fetch: Fetch, signal: AbortSignal) {
    const generations = await listGenerations(root, name);
    const newest = generations.at(-1);
    if (newest) {
      const obstacle = await findObstacle(newest.path);
      if (obstacle) distrust(newest.path, obstacle);
      const reason = damaged.get(newest.path);
      const made = reason ?? (await fetchInto(newest.path, fetch, signal));
      if (generations.length > 1) await clearReplaced(name);
      if (!(made instanceof Error)) return { ...made, mirror: newest.path };
      fetch.say(`The mirror of ${fetch.remote.shown} is damaged (${wordsOf(made)}); a new one is fetched`);
    }
    const { path } = generationOf(root, name, (newest?.number ?? 0) + 1);
    const found = await fetchNew(path, fetch, signal);
    if (newest) await clearReplaced(name);
    return { ...found, mirror: path };
  }

  /** Removes replaced generations. Those that cannot be removed now are left to `removeUnused`. */
  async function clearReplaced(name: string): Promise<void> {
    await removeReplaced(root, name, tasks).catch(() => {});
  }

  /** Fetches into an existing mirror; returns git's error if it shows that the mirror is damaged. */
  async function fetchInto(mirror: string, fetch: Fetch, signal: AbortSignal): Promise<Found | GitError> {
    try {
      if (!orderly.has(mirror)) await removeTraces(mirror);
      orderly.delete(mirror);
      await update(mirror, fetch, signal);
      const found = await findOrFetch(mirror, fetch, signal);
      orderly.add(mirror);
      const now = new Date();
      await utimes(mirror, now, now);
      return found;
    } catch (error) {
      const damage = await damageOf(causeOf(error), mirror, fetch.run, signal);
      if (!damage) throw error;
      distrust(mirror, damage);
      return damage;
    }
  }

  /** Fetches into a new mirror, which gets its name after the first fetch, so that an incomplete mirror is never found. */
  async function fetchNew(mirror: string, fetch: Fetch, signal: AbortSignal): Promise<Found> {
    await using half = await initialize(`${mirror}${NEW}`, "sha1", { ...fetch, owner }, signal);
    await update(half.path, fetch, signal).catch(async (error: unknown) => {
      if (!isOtherFormat(causeOf(error))) throw error;
      await initialize(half.path, "sha256", { ...fetch, owner }, signal);
      await update(half.path, fetch, signal);
    });
    await rename(half.path, mirror);
    orderly.add(mirror);
    // An earlier mirror may have had the same name.
    damaged.delete(mirror);
    acquitted.delete(mirror);
    // Awaited here: a rejection during the disposal of `half` would be unhandled and would end the server.
    return await findOrFetch(mirror, fetch, signal);
  }

  function update(mirror: string, fetch: Fetch, signal: AbortSignal): Promise<void> {
    const isDefault = fetch.wanted.gitBranch === "" && fetch.wanted.commit === "";
    return fetchRefs(mirror, fetch, isDefault ? [...REFS, `+HEAD:${HEAD}`] : REFS, signal);
  }

  /** Finds the wanted commit. A commit that is on no branch is fetched by its hash, which many servers allow. */
  async function findOrFetch(mirror: string, fetch: Fetch, signal: AbortSignal): Promise<Found> {
    const { remote, wanted, run } = fetch;
    const find = () =>
      findCommit(run, mirror, wanted, HEAD, signal).catch((error: unknown) => explainFetch(remote, error));
    const found = await find();
    if (found) return found;
    if (!isWholeHash(wanted.commit)) refuse(remote.shown, wanted);
    const hash = wanted.commit.toLowerCase();
    await fetchRefs(mirror, fetch, [`+${hash}:refs/signalman/commits/${hash}`], signal).catch((error) => {
      signal.throwIfAborted();
      if (/not our ref|unadvertised object|couldn't find remote ref/.test(wordsOf(error.cause))) {
        refuse(remote.shown, wanted);
      }
      throw error;
    });
    return (await find()) ?? refuse(remote.shown, wanted);
  }

  /** Fetches refs, with retries after transient errors. */
  async function fetchRefs(
    mirror: string,
    { remote, reach, run, say }: Fetch,
    refs: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const onProgress = sayProgress(`Fetching ${remote.shown}`, say);
    const options = { ...repositoryAt(mirror), signal, env: reach.env, idleMs, onProgress };
    const config = ["core.bare=true", ...reach.config];
    let tries = 0;
    const fetchOnce = async () => {
      if (tries++ > 0) await removeTraces(mirror);
      await run([...FETCH, "--", remote.text, ...refs], { ...options, config });
    };
    await retry(fetchOnce, {
      pausesMs: retryMs,
      signal,
      mayPass: isTransient,
      onRetry: (error, pauseMs) =>
        say(
          `Cannot fetch ${remote.shown} (${wordsOf(error)}); try ${tries + 1} of ${retryMs.length + 1} in ${pauseMs / 1000} s`,
        ),
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      explainFetch(remote, error);
    });
  }
}

/** Returns git's error that caused a PrepareError. */
const causeOf = (error: unknown) => (error instanceof PrepareError ? error.cause : error);

/** Returns the name of the mirror's folder: a hash of URL and access key. */
function nameOf({ remote, key }: Fetch): string {
  return createHash("sha256").update(`${remote.text}\n${key}`).digest("hex").slice(0, 32);
}
