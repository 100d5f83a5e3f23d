import { existsSync, realpathSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { GitAccess } from "../../../git/access.ts";
import { type Git, holdsRepository } from "../../../git/client.ts";
import { parseRemote, type RemoteUrl } from "../../../git/remote-url.ts";
import type { AccessKey } from "../../../keys/access-key.ts";
import type { AccessKeyInstaller } from "../../../keys/installer.ts";
import { PrepareError } from "../../../task/errors.ts";
import type { Commit } from "../../job.ts";
import { type CopyFor, copyAsUser } from "./copy-as-user.ts";
import { copyEntries, type Entry, readEntries } from "./copy-folder.ts";
import { openAccess } from "./git-access.ts";

export interface WorkspaceOptions {
  /** Repository to check out. `url` is an absolute path, a `file://` URL, or a remote URL. */
  repository: { url: string; depth: number; copyObjects: boolean; lfs: boolean; skipSubmodules: boolean };
  repositoryKey: AccessKey;
  gitBranch: string;
  commit: string;
  /** Folder to fill, which exists and is empty. */
  target: string;
  git: Git;
  keys: AccessKeyInstaller;
  /** Files and folders of the service, which no repository may name, lie in or bring with it. */
  closed: readonly string[];
  /** For whom a folder is copied; undefined: for a task of the server's user. */
  copyFor?: CopyFor | undefined;
  say(text: string): void;
}

/**
 * Fills a workspace: a git repository is cloned and checked out at the requested commit, any other folder is copied.
 * @throws PrepareError if that fails; the signal's reason.
 */
export async function fillWorkspace(options: WorkspaceOptions, signal: AbortSignal): Promise<Commit> {
  const { repository, repositoryKey, git, keys } = options;
  const { url, depth, copyObjects, lfs, skipSubmodules } = repository;
  const how = { depth, copyObjects, lfs, skipSubmodules };
  const checkOut = (source: string | RemoteUrl, access: GitAccess) =>
    git.checkOut({ ...options, ...how, source, access, key: repositoryKey.name }, signal);
  const remote = parseRemote(url);
  if (remote) {
    if (remote.scheme !== "ssh" && remote.user !== "")
      options.say(
        `The URL ${remote.shown} contains a user, which may be a token; new URLs may not. Put the user into an access key and name the key in accessKey`,
      );
    await using open = await openAccess(keys, repositoryKey, remote, signal);
    return await checkOut(remote, open.access);
  }
  const { source, entries } = await readFolder(url.startsWith("file://") ? fileURLToPath(url) : url);
  assertOpen(source, options.closed);
  if (holdsRepository(entries.map(({ name }) => name.toString()))) return checkOut(source, { kind: "none" });
  if (options.gitBranch !== "" || options.commit !== "") {
    throw new PrepareError(
      `Cannot check out ${options.commit || options.gitBranch}: ${source} is not a git repository`,
    );
  }
  if (`${options.target}/`.startsWith(join(source, "/"))) {
    throw new PrepareError(
      `Cannot copy ${source}: the server's data folder lies in it; set another --data-dir`,
    );
  }
  if (realPathsOf(options.closed).some((path) => path.startsWith(join(source, "/"))))
    throw new PrepareError(`Cannot copy ${source}: it holds files of the server; name a folder without them`);
  const { copyFor, target } = options;
  if (copyFor) await copyAsUser(copyFor, source, target, signal);
  else
    await copyEntries(entries, source, target, signal).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw new PrepareError(`Cannot copy ${source} into the task's workspace: ${reasonOf(cause)}`, {
        cause,
      });
    });
  return { hash: "", message: "" };
}

/**
 * Asserts that a repository on this machine is none of the service's own files.
 * @throws PrepareError if it is one of the closed paths, or lies in one
 */
export function assertOpen(repository: string, closed: readonly string[]): void {
  const [path] = realPathsOf([repository]);
  if (path === undefined || !realPathsOf(closed).some((one) => `${path}/`.startsWith(`${one}/`))) return;
  throw new PrepareError(
    `Cannot use ${repository} as a repository: it belongs to the server; name a folder outside of its data`,
  );
}

/** Returns those of the paths that exist, with links resolved. */
const realPathsOf = (paths: readonly string[]): string[] =>
  paths.filter((path) => existsSync(path)).map((path) => realpathSync(path));

/** Returns the real path of a folder, with links resolved, and its entries. */
async function readFolder(path: string): Promise<{ source: string; entries: Entry[] }> {
  try {
    const source = await realpath(path);
    return { source, entries: await readEntries(source) };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOTDIR")
      throw new PrepareError(`Cannot use ${path} as a repository: it is not a folder`, { cause });
    throw new PrepareError(`Cannot read the repository's folder ${path}: ${reasonOf(cause)}`, { cause });
  }
}

const ADVICE: Record<string, string> = {
  ENOENT: "there is no such folder",
  EACCES: "the server's user may not read it",
  EPERM: "the server's user may not read it",
  ENOSPC: "the disk of the data folder is full; free some space and run the task again",
  EDQUOT: "the disk quota of the data folder is used up",
  EMFILE: "the server has too many open files; raise its limit (ulimit -n)",
};

/** Explains why a file operation failed, in words for users. */
export function reasonOf(cause: unknown): string {
  const { code = "", message = String(cause), path } = cause as NodeJS.ErrnoException;
  const advice = ADVICE[code];
  return advice ? `${advice} (${code}${path ? ` at ${path}` : ""})` : message;
}
