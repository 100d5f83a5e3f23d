import { PrepareError } from "../task/errors.ts";
import { isDamage } from "./failures.ts";
import { GitError, type RunGit, repositoryAt } from "./run.ts";

/** Revision of a repository that a task requests. */
export interface Wanted {
  /** Branch or tag; empty: the repository's default branch. */
  gitBranch: string;
  /** Full or shortened hash, which overrides the branch. Empty: the tip of the branch. */
  commit: string;
}

export const isWholeHash = (commit: string) => /^([0-9a-f]{40}|[0-9a-f]{64})$/i.test(commit);

// Matches names that git allows; others could be read as expressions (`main~1`, `main:file`).
const isName = (name: string) => !/[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|^\/|\/$|\/\/|\.lock$|\.$/.test(name);

/** A commit that was found, and the full name of the tag (`refs/tags/…`) if one was requested. */
export interface Found {
  hash: string;
  tag?: string;
}

/**
 * Finds the wanted commit in a repository; undefined: the repository does not have it. A branch takes precedence over a tag of
 * the same name.
 * `gitDir`: git directory of the repository
 * `head`: ref of the default branch
 * @throws GitError if the repository is damaged; the signal's reason.
 */
export async function findCommit(
  run: RunGit,
  gitDir: string,
  { gitBranch, commit }: Wanted,
  head: string,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const read = async (revision: string): Promise<Found | undefined> => {
    const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`];
    try {
      return { hash: await run(args, { ...repositoryAt(gitDir), signal }) };
    } catch (error) {
      if (!(error instanceof GitError) || isDamage(error)) throw error;
      return undefined;
    }
  };
  if (commit) {
    // A branch may have a name that looks like a shortened hash.
    const found = /^[0-9a-f]{4,64}$/i.test(commit) ? await read(commit) : undefined;
    return found?.hash.startsWith(commit.toLowerCase()) ? found : undefined;
  }
  if (!gitBranch) return read(head);
  if (!isName(gitBranch)) return undefined;
  const tag = `refs/tags/${gitBranch}`;
  const tagged = async () => {
    const found = await read(tag);
    return found && { ...found, tag };
  };
  return (await read(`refs/heads/${gitBranch}`)) ?? (await tagged());
}

/** Reports that a repository does not have the wanted revision. @throws PrepareError always. */
export function refuse(where: string, { gitBranch, commit }: Wanted): never {
  const what = commit ? `commit ${commit}` : gitBranch ? `branch or tag ${gitBranch}` : "commit";
  throw new PrepareError(`Cannot check out ${where}: it has no ${what}`);
}
