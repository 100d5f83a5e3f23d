import { createHash } from "node:crypto";
import { readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { createQueues } from "../async/keyed-queue.ts";
import { retry } from "../async/retry.ts";
import { PrepareError } from "../task/errors.ts";
import type { Reach } from "./access.ts";
import { explainFetch, isOtherFormat, isPassing, isSilence, wordsOf } from "./failures.ts";
import { generationOf, listGenerations, mirrorOf, removeReplaced } from "./generations.ts";
import { damageOf, findObstacle, initialize, removeTraces } from "./mirror-folder.ts";
import { sayProgress } from "./progress.ts";
import type { RemoteUrl } from "./remote-url.ts";
import { type Found, findCommit, isWholeHash, refuse, type Wanted } from "./revision.ts";
import { type GitFailed, type RunGit, repositoryAt } from "./run.ts";

export interface Fetch {
  remote: RemoteUrl;
  /** Name of the access key: who fetches with another one has another mirror. Empty: none. */
  key: string;
  reach: Reach;
  wanted: Wanted;
  run: RunGit;
  say(text: string): void;
}

/** A bare copy of each remote repository, from which tasks take theirs. */
export interface Mirrors {
  /** A remote that says nothing for so long is given up. */
  readonly idleMs: number;
  /**
   * Brings the mirror up to date and finds the wanted commit. One at a time for each mirror. A mirror that is damaged is
   * replaced by a new one.
   * @throws PrepareError; the signal's reason.
   */
  fetch(fetch: Fetch, signal: AbortSignal): Promise<Found & { mirror: string }>;
  /** A check-out found this mirror damaged: the next fetch replaces it. */
  distrust(mirror: string, error: Error): void;
  /** A new mirror was as bad, so the damage is the remote's: this mirror is not distrusted again. */
  acquit(mirror: string): void;
  /**
   * Removes the mirrors that no task has used since then (the caller sees to it that no task is that old), and those
   * that were replaced and have no borrower any more.
   */
  removeUnused(since: Date): Promise<void>;
}

export interface MirrorOptions {
  /** The folder of all mirrors. */
  root: string;
  /** A remote that says nothing for so long is given up. */
  idleMs: number;
  /** Before each further try. */
  retryMs: readonly number[];
  /** Ids of the tasks that have a folder on this machine. */
  tasks: () => Promise<readonly string[]>;
  /** Called once for each mirror that turns out to be damaged. */
  onDamaged: (mirror: string, error: Error) => void;
}

/** The remote's default branch, whatever it is called. */
const HEAD = "refs/signalman/head";
// Refs follow the remote's, so that what was deleted there cannot be checked out. Objects stay: gc is off.
const FETCH = "fetch --progress --force --prune --no-tags --no-auto-gc --no-write-fetch-head".split(" ");
const REFS = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
const NEW = ".new";

export function createMirrors({ root, idleMs, retryMs, tasks, onDamaged }: MirrorOptions): Mirrors {
  const inTurn = createQueues();
  /** Mirrors whose last fetch, in this process, ended well: no dead process has left a lock there. */
  const orderly = new Set<string>();
  /** Mirrors that are damaged, and how that showed. */
  const damaged = new Map<string, Error>();
  const acquitted = new Set<string>();
  /** When a remote last gave no answer: whoever was waiting for his turn meanwhile need not wait as long again. */
  const silences = new Map<string, { at: number; error: unknown }>();

  function distrust(mirror: string, error: Error): void {
    if (damaged.has(mirror) || acquitted.has(mirror)) return;
    damaged.set(mirror, error);
    onDamaged(mirror, error);
  }

  return {
    idleMs,
    distrust,
    acquit: (mirror) => void acquitted.add(mirror),
    async fetch(fetch, signal) {
      const name = nameOf(fetch);
      const asked = performance.now();
      return inTurn(name, signal, async () => {
        const silence = silences.get(name);
        if (silence && silence.at > asked) throw silence.error;
        const found = await fetchNewest(name, fetch, signal).catch((error: unknown) => {
          if (isSilence(causeOf(error))) silences.set(name, { at: performance.now(), error });
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
        // Asked once more in turn: a task may have come.
        const remove = async () => {
          if (await isUnused()) await rm(path, { recursive: true, force: true });
        };
        if (await isUnused()) await turn(mirrorOf(entry), remove);
      }
      const replaced = entries.filter((entry) => entry !== mirrorOf(entry)).map(mirrorOf);
      for (const name of new Set(replaced)) await turn(name, () => removeReplaced(root, name, tasks));
    },
  };

  /** Fetches into the newest mirror; into a new one if there is none, or only a damaged one. */
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
      fetch.say(`The mirror of ${fetch.remote.shown} is damaged and is fetched anew (${wordsOf(made)})`);
    }
    const { path } = generationOf(root, name, (newest?.number ?? 0) + 1);
    const found = await fetchNew(path, fetch, signal);
    if (newest) await clearReplaced(name);
    return { ...found, mirror: path };
  }

  /** What cannot be removed now is left to `removeUnused`. */
  async function clearReplaced(name: string): Promise<void> {
    await removeReplaced(root, name, tasks).catch(() => {});
  }

  /** Returns git's error if that shows that the mirror is damaged. */
  async function fetchInto(mirror: string, fetch: Fetch, signal: AbortSignal): Promise<Found | GitFailed> {
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

  /** A mirror gets its name after its first fetch, so that a half one is never found. */
  async function fetchNew(mirror: string, fetch: Fetch, signal: AbortSignal): Promise<Found> {
    await using half = await initialize(`${mirror}${NEW}`, "sha1", fetch.run, signal);
    await update(half.path, fetch, signal).catch(async (error: unknown) => {
      if (!isOtherFormat(causeOf(error))) throw error;
      await initialize(half.path, "sha256", fetch.run, signal);
      await update(half.path, fetch, signal);
    });
    await rename(half.path, mirror);
    orderly.add(mirror);
    // Its name may have been that of an earlier one.
    damaged.delete(mirror);
    acquitted.delete(mirror);
    // Awaited here: a rejection during the disposal of `half` would have no handler, and would end the server.
    return await findOrFetch(mirror, fetch, signal);
  }

  function update(mirror: string, fetch: Fetch, signal: AbortSignal): Promise<void> {
    const isDefault = fetch.wanted.gitBranch === "" && fetch.wanted.commit === "";
    return persist(mirror, fetch, isDefault ? [...REFS, `+HEAD:${HEAD}`] : REFS, signal);
  }

  /** A commit that is on no branch is asked for by its hash; many servers give it. */
  async function findOrFetch(mirror: string, fetch: Fetch, signal: AbortSignal): Promise<Found> {
    const { remote, wanted, run } = fetch;
    const find = () =>
      findCommit(run, mirror, wanted, HEAD, signal).catch((error: unknown) => explainFetch(remote, error));
    const found = await find();
    if (found) return found;
    if (!isWholeHash(wanted.commit)) refuse(remote.shown, wanted);
    const hash = wanted.commit.toLowerCase();
    await persist(mirror, fetch, [`+${hash}:refs/signalman/commits/${hash}`], signal).catch((error) => {
      signal.throwIfAborted();
      if (/not our ref|unadvertised object|couldn't find remote ref/.test(wordsOf(error.cause))) {
        refuse(remote.shown, wanted);
      }
      throw error;
    });
    return (await find()) ?? refuse(remote.shown, wanted);
  }

  /** Tries again after a bad moment of the network. */
  async function persist(
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
      mayPass: isPassing,
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

/** Of a sentence for the task's owner, git's own error. */
const causeOf = (error: unknown) => (error instanceof PrepareError ? error.cause : error);

/** One folder for each repository and key. */
function nameOf({ remote, key }: Fetch): string {
  return createHash("sha256").update(`${remote.text}\n${key}`).digest("hex").slice(0, 32);
}
