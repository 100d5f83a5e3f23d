import { PrepareError } from "../task/errors.ts";
import { isDamage } from "./failures.ts";
import { GitFailed, type RunGit, repositoryAt } from "./run.ts";

/** What a task wants of a repository. */
export interface Wanted {
  /** Branch or tag; empty: the repository's default. */
  gitBranch: string;
  /** Whole or shortened hash; it wins over the branch. Empty: the tip. */
  commit: string;
}

export const isWholeHash = (commit: string) => /^([0-9a-f]{40}|[0-9a-f]{64})$/i.test(commit);

// What git allows in a name; the rest would be a way to say something else (`main~1`, `main:file`).
const isName = (name: string) => !/[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|^\/|\/$|\/\/|\.lock$|\.$/.test(name);

/** A commit that was found, and the tag that was asked for, if it was one: `refs/tags/…`. */
export interface Found {
  hash: string;
  tag?: string;
}

/**
 * The wanted commit, as far as a repository has it. A branch wins over a tag of the same name.
 * @param gitDir the repository. @param head the ref that stands for the default branch.
 * @throws GitFailed if the repository is damaged; the signal's reason.
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
      if (!(error instanceof GitFailed) || isDamage(error)) throw error;
      return undefined;
    }
  };
  if (commit) {
    // A branch may be called like a shortened hash.
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

/** @throws PrepareError always. */
export function refuse(where: string, { gitBranch, commit }: Wanted): never {
  const what = commit ? `commit ${commit}` : gitBranch ? `branch or tag ${gitBranch}` : "commit";
  throw new PrepareError(`Cannot check out ${where}: it has no ${what}`);
}
