import { runCommand } from "../../../process/command.ts";
import type { Enclose } from "../../executors/local/surroundings.ts";
import { entriesOf, type Requirements } from "./requirements.ts";

/** A git repository and the branch, tag or commit that is required of it. */
export interface GitVersion {
  url: string;
  version: string;
}

export interface AskOptions {
  cwd: string;
  /** The whole environment, including credentials for private sources. */
  env: Readonly<Record<string, string>>;
  marker: string;
  /** Returns how git is separated from the service. */
  enclose: Enclose;
}

const TIMEOUT_MS = 60_000;

/**
 * Returns the current commits of the required branches, as printed by `git ls-remote`. undefined: a repository did not answer;
 * ansible-galaxy will report why.
 */
export async function branchTips(
  required: readonly Requirements[],
  { cwd, env, marker, enclose }: AskOptions,
  signal: AbortSignal,
): Promise<string[] | undefined> {
  const tips: string[] = [];
  for (const { url, version } of required.flatMap(movingVersions)) {
    const { exit, stdout } = await runCommand({
      command: "git",
      args: ["ls-remote", "--", url, `refs/heads/${version}`, `refs/tags/${version}`],
      cwd,
      env: { ...env, GIT_TERMINAL_PROMPT: "0" },
      marker,
      timeoutMs: TIMEOUT_MS,
      signal,
      enclosure: enclose({ cwd }),
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      return { exit: error, stdout: "" };
    });
    if ((exit as { code?: unknown }).code !== 0) return undefined;
    tips.push(stdout);
  }
  return tips;
}

/**
 * Returns the required versions of git repositories that may move: neither a commit nor a full version number. Entries
 * without a version are left out, so they stay as they were first fetched.
 */
export function movingVersions(requirements: Requirements): GitVersion[] {
  const all = (entriesOf(requirements) ?? []).map(gitVersion);
  return all.filter((found) => found !== undefined).filter(({ version }) => mayMove(version));
}

const mayMove = (version: string) =>
  version !== "" && !/^v?\d+\.\d+\.\d+/.test(version) && !/^[0-9a-f]{7,64}$/.test(version);

/** Parses an entry as ansible-galaxy does; undefined: it names no git repository. */
function gitVersion(entry: unknown): GitVersion | undefined {
  const fields = typeof entry === "string" ? { src: entry } : ((entry ?? {}) as Record<string, unknown>);
  const place = [fields.src, fields.source, fields.name].find(
    (text) => typeof text === "string" && isUrl(text),
  );
  if (typeof place !== "string") return undefined;
  // `git+URL#path,version,name`
  const [source = "", listed = ""] = place.split(",").map((part) => part.trim());
  const isGit =
    fields.scm === "git" ||
    fields.type === "git" ||
    /^(git[+@]|ssh:)/.test(source) ||
    /\.git(#|$)/.test(source);
  if (!isGit || /^hg\+/.test(source)) return undefined;
  const url = source.replace(/^git\+/, "").replace(/#.*$/, "");
  return { url, version: String(fields.version ?? listed) };
}

const isUrl = (text: string) => /^(git\+)?(https?|ssh|git):\/\/|^(git\+)?[\w.-]+@[\w.-]+:/.test(text);
