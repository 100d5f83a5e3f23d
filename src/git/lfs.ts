import { PrepareError } from "../task/errors.ts";
import { GitError, type RunGit } from "./run.ts";

/**
 * Returns settings with which a checkout fetches the files of git LFS.
 * `storage`: folder in which the files are stored for later tasks; undefined: in the task's own clone
 * @throws PrepareError if git-lfs is not installed.
 */
export async function lfsConfig(
  run: RunGit,
  { cwd, storage, signal }: { cwd: string; storage: string | undefined; signal: AbortSignal },
): Promise<string[]> {
  await run(["lfs", "version"], { cwd, signal }).catch((cause: unknown) => {
    if (!(cause instanceof GitError)) throw cause;
    throw new PrepareError(
      "Cannot fetch the files of git LFS: there is no git-lfs on this server; install it, or set lfs to false",
      { cause },
    );
  });
  return [
    "filter.lfs.process=git-lfs filter-process",
    "filter.lfs.smudge=git-lfs smudge -- %f",
    "filter.lfs.clean=git-lfs clean -- %f",
    "filter.lfs.required=true",
    // A repository's .lfsconfig may say otherwise: pointers would stand in the place of its files.
    "lfs.skipDownloadErrors=false",
    ...(storage === undefined ? [] : [`lfs.storage=${storage}`]),
  ];
}
