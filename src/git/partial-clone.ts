import { fileURLToPath } from "node:url";
import { reach } from "./access.ts";
import { type Clone, checkOutFiles, cloneWhole, LOCAL, READER } from "./clone.ts";
import { parseRemote } from "./remote-url.ts";
import { GitError, type RunGit, repositoryAt, workspaceAt } from "./run.ts";
import type { SshSettings } from "./ssh-options.ts";

/** Remote from which a partial clone (`git clone --filter=…`) fetches missing objects, and its filter. */
export interface Promisor {
  url: string;
  filter: string;
}

/** Returns the promisor remote of a repository; undefined: the repository is not a partial clone. */
export async function promisorOf(
  run: RunGit,
  gitDir: string,
  signal: AbortSignal,
): Promise<Promisor | undefined> {
  const read = (...args: string[]) =>
    run(["config", ...args], { ...repositoryAt(gitDir), signal }).catch((error: unknown) => {
      if (error instanceof GitError) return ""; // not set
      throw error;
    });
  const [promisor = ""] = (await read("--get-regexp", "^remote\\..*\\.promisor$")).split("\n");
  const name =
    /^remote\.(.*)\.promisor true$/.exec(promisor)?.[1] ?? (await read("--get", "extensions.partialClone"));
  if (name === "") return undefined;
  const url = await read("--get", `remote.${name}.url`);
  const filter = await read("--get", `remote.${name}.partialclonefilter`);
  return url === "" ? undefined : { url, filter: filter || "blob:none" };
}

/**
 * Clones a partial clone without changing it. The target becomes a partial clone of the same origin, from which it fetches the
 * objects that the source lacks. It has the whole history regardless of the requested depth.
 */
export async function fillPartialClone(
  options: Clone,
  { url, filter }: Promisor,
  { ssh, idleMs }: { ssh: SshSettings; idleMs: number },
  signal: AbortSignal,
): Promise<void> {
  const { target, run, copyObjects, depth } = options;
  await cloneWhole({ ...options, origin: url, copyObjects: copyObjects || depth > 0 }, signal);
  const settings = {
    "core.repositoryFormatVersion": "1",
    "extensions.partialClone": "origin",
    "remote.origin.promisor": "true",
    "remote.origin.partialCloneFilter": filter,
  };
  for (const [name, value] of Object.entries(settings))
    await run(["config", name, value], { ...workspaceAt(target), signal });
  const remote = parseRemote(url.startsWith("file://") ? fileURLToPath(url) : url);
  const way = remote ? reach(remote, { kind: "none" }, ssh) : undefined;
  const config = way ? way.config : [...LOCAL, `remote.origin.uploadpack=${READER}`];
  await checkOutFiles(
    {
      ...options,
      config: [...(options.config ?? []), ...config],
      env: { ...options.env, ...way?.env },
      idleMs,
    },
    signal,
  );
}
