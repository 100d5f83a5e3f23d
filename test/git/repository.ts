import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A git repository made for one test. */
export interface Repository extends Disposable {
  readonly path: string;
  /** Runs git in the repository and returns its output. */
  git(...args: string[]): string;
  /** Writes a file, commits it and returns the commit's hash. */
  commit(file: string, text: string, message?: string): string;
  write(file: string, text: string): void;
}

export function makeRepository(): Repository {
  const path = mkdtempSync(join(tmpdir(), "signalman-git-"));
  const who = { NAME: "Test", EMAIL: "test@example.com" };
  const env = {
    PATH: process.env.PATH,
    HOME: path,
    GIT_CONFIG_NOSYSTEM: "1",
    ...Object.fromEntries(
      Object.entries(who).flatMap(([key, value]) => [
        [`GIT_AUTHOR_${key}`, value],
        [`GIT_COMMITTER_${key}`, value],
      ]),
    ),
  };
  const git = (...args: string[]) => execFileSync("git", args, { cwd: path, env, encoding: "utf8" }).trim();
  git("init", "--quiet", "--initial-branch=main");
  const write = (file: string, text: string) => writeFileSync(join(path, file), text);
  return {
    path,
    git,
    write,
    commit(file, text, message = `Write ${file}`) {
      write(file, text);
      git("add", "--all", "--", file);
      git("commit", "--quiet", "--message", message);
      return git("rev-parse", "HEAD");
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
