import { PrepareError } from "../task/errors.ts";
import { GitFailed, type RunGit } from "./run.ts";

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

/**
 * The hash of a wanted commit, as far as a repository has it. A branch wins over a tag of the same name.
 * @param head the ref that stands for the default branch.
 */
export async function findCommit(
  run: RunGit,
  repository: string,
  { gitBranch, commit }: Wanted,
  head: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const read = async (revision: string) => {
    const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`];
    return run(args, { cwd: repository, signal }).catch((error: unknown) => {
      if (error instanceof GitFailed) return undefined;
      throw error;
    });
  };
  if (commit) {
    // A branch may be called like a shortened hash.
    const found = /^[0-9a-f]{4,64}$/i.test(commit) ? await read(commit) : undefined;
    return found?.startsWith(commit.toLowerCase()) ? found : undefined;
  }
  if (!gitBranch) return read(head);
  if (!isName(gitBranch)) return undefined;
  return (await read(`refs/heads/${gitBranch}`)) ?? (await read(`refs/tags/${gitBranch}`));
}

/** @throws PrepareError always. */
export function refuse(where: string, { gitBranch, commit }: Wanted): never {
  const what = commit ? `commit ${commit}` : gitBranch ? `branch or tag ${gitBranch}` : "commit";
  throw new PrepareError(`Cannot check out ${where}: it has no ${what}`);
}
