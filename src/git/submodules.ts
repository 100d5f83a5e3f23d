import { existsSync } from "node:fs";
import { mkdir, realpath } from "node:fs/promises";
import { isAbsolute, join, normalize } from "node:path";
import { PrepareError } from "../task/errors.ts";
import { GitFailed, type RunGit } from "./run.ts";

/** A submodule as its commit names it. */
export interface Submodule {
  name: string;
  /** Relative to the repository's root, and inside it. */
  path: string;
  /** As it is written. */
  url: string;
  hash: string;
}

/**
 * The submodules of what is checked out in `folder`.
 * @throws PrepareError for one that names a place outside, or what git could take for an option.
 */
export async function listSubmodules(
  run: RunGit,
  folder: string,
  hash: string,
  signal: AbortSignal,
): Promise<Submodule[]> {
  if (!existsSync(join(folder, ".gitmodules"))) return [];
  const named = [...(await settingsOf(run, folder, hash, signal))].flatMap(
    ([name, { path = "", url = "", update }]) => (path && update !== "none" ? [{ name, path, url }] : []),
  );
  for (const submodule of named) assertHarmless(submodule);
  const paths = named.map(({ path }) => path);
  const hashes = paths.length ? await linksOf(run, folder, { hash, paths, signal }) : new Map();
  return named.flatMap((submodule) => {
    const commit = hashes.get(submodule.path);
    return commit ? [{ ...submodule, hash: commit }] : [];
  });
}

/** Makes the folder of a submodule, and sees that no link leads out of the workspace. */
export async function makeFolder(workspace: string, path: string): Promise<string> {
  const folder = join(workspace, path);
  await mkdir(folder, { recursive: true });
  if ((await realpath(folder)) !== join(await realpath(workspace), normalize(path)).replace(/\/$/, ""))
    throw new PrepareError(`Cannot check out the submodule ${path}: a link is in its way`);
  return folder;
}

/** Path → hash, of those paths where a commit has a submodule. */
async function linksOf(
  run: RunGit,
  folder: string,
  { hash, paths, signal }: { hash: string; paths: readonly string[]; signal: AbortSignal },
): Promise<Map<string, string>> {
  const tree = await run(["ls-tree", "-z", hash, "--", ...paths], { cwd: folder, signal });
  const links = tree.split("\0").filter((entry) => entry.startsWith("160000 commit "));
  return new Map(links.map((entry) => [entry.slice(entry.indexOf("\t") + 1), entry.split(/[ \t]/)[2] ?? ""]));
}

type Settings = Partial<Record<"path" | "url" | "update", string>>;

/** What .gitmodules says, by name; read from the commit, since the file may be a link. */
async function settingsOf(
  run: RunGit,
  folder: string,
  hash: string,
  signal: AbortSignal,
): Promise<Map<string, Settings>> {
  const args = ["config", "--blob", `${hash}:.gitmodules`, "--null", "--get-regexp", "^submodule\\."];
  const listed = await run(args, { cwd: folder, signal }).catch((error: unknown) => {
    if (error instanceof GitFailed) return ""; // no such file, or nothing in it
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
      `Cannot check out the submodule ${JSON.stringify(name)}: its path or URL is not one`,
    );
}
