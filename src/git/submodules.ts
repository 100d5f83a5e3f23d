import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { isAbsolute, join, normalize } from "node:path";
import { makeFolder, type Owner } from "../files/owned.ts";
import { PrepareError } from "../task/errors.ts";
import { GitError, type RunGit, workspaceAt } from "./run.ts";

/** A submodule as recorded in a commit of its parent repository. */
export interface Submodule {
  name: string;
  /** Path inside the parent repository, relative to its root. */
  path: string;
  /** URL as written in .gitmodules. */
  url: string;
  hash: string;
}

/**
 * Lists the submodules of the repository checked out in `folder`, without those that .gitmodules turns off (`update = none`).
 * @throws PrepareError for a submodule without a URL, with a path outside the repository, or with a name, path or URL that git
 * could read as an option.
 */
export async function listSubmodules(
  run: RunGit,
  folder: string,
  hash: string,
  signal: AbortSignal,
): Promise<Submodule[]> {
  const links = await linksIn(run, folder, signal);
  if (links.size === 0) return [];
  const named = [...(await settingsOf(run, folder, hash, signal))].map(
    ([name, { path = "", url = "", update }]) => ({ name, path, url, isOff: update === "none" }),
  );
  const wanted = named.filter(({ path, isOff }) => path !== "" && !isOff);
  for (const submodule of wanted) assertHarmless(submodule);
  const [unnamed] = links.keys().filter((link) => !named.some(({ path }) => path === link));
  if (unnamed !== undefined)
    throw new PrepareError(
      `Cannot check out the submodule ${unnamed}: it has no URL in .gitmodules; add one, or set skipSubmodules`,
    );
  return wanted.flatMap(({ name, path, url }) => {
    const commit = links.get(path);
    return commit ? [{ name, path, url, hash: commit }] : [];
  });
}

/** Makes the folder of a submodule in the workspace. @throws PrepareError if a link in its path leads elsewhere */
export async function makeSubmoduleFolder(
  workspace: string,
  path: string,
  owner: Owner | undefined,
): Promise<string> {
  const folder = join(workspace, path);
  const parts = normalize(path).split("/");
  for (const at of parts.keys()) {
    const part = join(workspace, ...parts.slice(0, at + 1));
    if (!existsSync(part)) makeFolder(part, owner);
  }
  if ((await realpath(folder)) !== join(await realpath(workspace), normalize(path)).replace(/\/$/, ""))
    throw new PrepareError(
      `Cannot check out the submodule ${path}: a part of its path is a symbolic link in the repository`,
    );
  return folder;
}

/** Returns the commits of all submodules in the index, by path. */
async function linksIn(run: RunGit, folder: string, signal: AbortSignal): Promise<Map<string, string>> {
  const links = new Map<string, string>();
  const onOutput = (line: string) => {
    const [, hash, path] = /^160000 ([0-9a-f]+) \d\t(.*)$/.exec(line) ?? [];
    if (hash && path) links.set(path, hash);
  };
  await run(["ls-files", "--stage"], {
    ...workspaceAt(folder),
    config: ["core.quotePath=false"],
    signal,
    onOutput,
  });
  return links;
}

type Settings = Partial<Record<"path" | "url" | "update", string>>;

/** Returns the settings in .gitmodules, by the submodule's name. Reads them from the commit, since the file may be a link. */
async function settingsOf(
  run: RunGit,
  folder: string,
  hash: string,
  signal: AbortSignal,
): Promise<Map<string, Settings>> {
  const args = ["config", "--blob", `${hash}:.gitmodules`, "--null", "--get-regexp", "^submodule\\."];
  const listed = await run(args, { ...workspaceAt(folder), signal }).catch((error: unknown) => {
    if (error instanceof GitError) return ""; // there is no .gitmodules, or it has no submodule
    throw error;
  });
  const settings = new Map<string, Settings>();
  for (const entry of listed.split("\0")) {
    const [, name, key, value = ""] = /^submodule\.(.*)\.([a-z]+)\n(.*)$/s.exec(entry) ?? [];
    if (name === undefined || key === undefined) continue;
    settings.set(name, { ...settings.get(name), [key]: value });
  }
  return settings;
}

function assertHarmless({ name, path, url }: Omit<Submodule, "hash">): void {
  const isOption = [name, path, url].some((text) => text.startsWith("-"));
  const leadsOut =
    isAbsolute(path) ||
    normalize(path).split("/").includes("..") ||
    normalize(path).split("/").includes(".git");
  const isOdd = name.split("/").includes("..") || [name, path, url].some((text) => /[\0\n\r]/.test(text));
  if (url === "" || isOption || leadsOut || isOdd)
    throw new PrepareError(
      `Cannot check out the submodule ${JSON.stringify(name)}: its name, path or URL in .gitmodules is not valid`,
    );
}
