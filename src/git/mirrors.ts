import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../async/first-of.ts";
import { createQueues } from "../async/keyed-queue.ts";
import type { Reach } from "./access.ts";
import { explainFetch, isPassing, isSilence, wordsOf } from "./failures.ts";
import { removeTraces } from "./mirror-folder.ts";
import { sayProgress } from "./progress.ts";
import type { RemoteUrl } from "./remote-url.ts";
import { findCommit, isWholeHash, refuse, type Wanted } from "./revision.ts";
import type { RunGit } from "./run.ts";

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
   * Brings the mirror up to date and finds the wanted commit. One at a time for each mirror.
   * @throws PrepareError; the signal's reason.
   */
  fetch(fetch: Fetch, signal: AbortSignal): Promise<{ mirror: string; hash: string }>;
  /** Removes what nobody has used since then. The caller sees to it that no task is that old. */
  removeUnused(since: Date): Promise<void>;
}

export interface MirrorOptions {
  /** The folder of all mirrors. */
  root: string;
  /** A remote that says nothing for so long is given up. */
  idleMs: number;
  /** Before each further try. */
  retryMs: readonly number[];
}

/** The remote's default branch, whatever it is called. */
const HEAD = "refs/signalman/head";
// Refs follow the remote's, so that what was deleted there cannot be checked out. Objects stay: gc is off.
const FETCH = [
  "fetch",
  "--progress",
  "--force",
  "--prune",
  "--no-tags",
  "--no-auto-gc",
  "--no-write-fetch-head",
];
const REFS = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
const NEW = ".new";

export function createMirrors({ root, idleMs, retryMs }: MirrorOptions): Mirrors {
  const inTurn = createQueues();
  /** Mirrors whose last fetch, in this process, ended well: no dead process has left a lock there. */
  const orderly = new Set<string>();

  /** When a remote last gave no answer: whoever was waiting for his turn meanwhile need not wait as long again. */
  const silences = new Map<string, { at: number; error: unknown }>();

  return {
    idleMs,
    async fetch(fetch, signal) {
      const mirror = join(root, nameOf(fetch));
      const asked = performance.now();
      return inTurn(mirror, signal, async () => {
        const silence = silences.get(mirror);
        if (silence && silence.at > asked) throw silence.error;
        await update(mirror, fetch, signal).catch((error: unknown) => {
          if (isSilence((error as Error).cause)) silences.set(mirror, { at: performance.now(), error });
          throw error;
        });
        silences.delete(mirror);
        return { mirror, hash: await findOrFetch(mirror, fetch, signal) };
      });
    },
    async removeUnused(since) {
      for (const name of await readdir(root).catch(() => [])) {
        const mirror = join(root, name);
        const isUnused = () =>
          stat(mirror).then(
            ({ mtime }) => mtime < since,
            () => false,
          );
        // Asked once more in turn: a task may have come.
        const remove = async () => {
          if (await isUnused()) await rm(mirror, { recursive: true, force: true });
        };
        if (await isUnused()) await inTurn(mirror, new AbortController().signal, remove);
      }
    },
  };

  async function update(mirror: string, fetch: Fetch, signal: AbortSignal): Promise<void> {
    const isDefault = fetch.wanted.gitBranch === "" && fetch.wanted.commit === "";
    const refs = isDefault ? [...REFS, `+HEAD:${HEAD}`] : REFS;
    if (existsSync(mirror)) {
      if (!orderly.has(mirror)) await removeTraces(mirror);
      orderly.delete(mirror);
      await persist(mirror, fetch, refs, signal);
    } else {
      await using half = await initialize(`${mirror}${NEW}`, fetch.run, signal);
      await persist(half.path, fetch, refs, signal);
      await rename(half.path, mirror);
    }
    orderly.add(mirror);
    const now = new Date();
    await utimes(mirror, now, now);
  }

  /** A commit that is on no branch is asked for by its hash; many servers give it. */
  async function findOrFetch(mirror: string, fetch: Fetch, signal: AbortSignal): Promise<string> {
    const { remote, wanted, run } = fetch;
    const find = () => findCommit(run, mirror, wanted, HEAD, signal);
    const found = await find();
    if (found) return found;
    if (!isWholeHash(wanted.commit)) refuse(remote.text, wanted);
    const hash = wanted.commit.toLowerCase();
    await persist(mirror, fetch, [`+${hash}:refs/signalman/commits/${hash}`], signal).catch((error) => {
      signal.throwIfAborted();
      if (/not our ref|unadvertised object|couldn't find remote ref/.test(wordsOf(error.cause))) {
        refuse(remote.text, wanted);
      }
      throw error;
    });
    return (await find()) ?? refuse(remote.text, wanted);
  }

  /** Tries again after a bad moment of the network. */
  async function persist(
    mirror: string,
    { remote, reach, run, say }: Fetch,
    refs: readonly string[],
    signal: AbortSignal,
  ) {
    const onProgress = sayProgress(`Fetching ${remote.text}`, say);
    const attempt = () =>
      run([...FETCH, "--", remote.text, ...refs], { cwd: mirror, signal, ...reach, idleMs, onProgress });
    for (let tries = 1; ; tries++) {
      try {
        return void (await attempt());
      } catch (error) {
        const pauseMs = retryMs[tries - 1];
        if (pauseMs === undefined || !isPassing(error)) return explainFetch(remote, error);
        say(
          `Cannot fetch ${remote.text} (${wordsOf(error)}); try ${tries + 1} of ${retryMs.length + 1} in ${pauseMs / 1000} s`,
        );
        await sleep(pauseMs, signal);
        await removeTraces(mirror);
      }
    }
  }
}

/** Nobody finds a mirror before its first fetch has ended well. */
async function initialize(path: string, run: RunGit, signal: AbortSignal) {
  const remove = () => rm(path, { recursive: true, force: true });
  await remove();
  await mkdir(path, { recursive: true, mode: 0o700 });
  const half = { path, [Symbol.asyncDispose]: remove };
  await using stack = new AsyncDisposableStack();
  stack.use(half);
  await run(["init", "--quiet", "--bare", "--template=", "."], { cwd: path, signal });
  stack.move();
  return half;
}

/** One folder for each repository and key. */
function nameOf({ remote, key }: Fetch): string {
  return createHash("sha256").update(`${remote.text}\n${key}`).digest("hex").slice(0, 32);
}
