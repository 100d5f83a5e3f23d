import { execFileSync } from "node:child_process";
import {
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { holdsRepository } from "../../src/git/client.ts";
import { PrepareError } from "../../src/task/errors.ts";
import { makeGit, PLAIN } from "./make-git.ts";
import { makeRepository, type Repository } from "./repository.ts";

const never = new AbortController().signal;
// Repositories in local folders need no mirrors.
const git = makeGit("/nowhere");
const targets: string[] = [];
afterEach(() => targets.splice(0).forEach((path) => void rmSync(path, { recursive: true })));

/** Checks out into a new folder. */
async function checkOut(source: string, at: { gitBranch?: string; commit?: string } = {}, signal = never) {
  const target = mkdtempSync(join(tmpdir(), "signalman-target-"));
  targets.push(target);
  const said: string[] = [];
  const say = (text: string) => void said.push(text);
  const commit = await git.checkOut({ ...PLAIN, source, target, say, ...at }, signal);
  return { ...commit, target, said, read: (file: string) => readFileSync(join(target, file), "utf8") };
}

/** Returns the message of the failed check-out, as the task's owner reads it. */
async function refusal(source: string, at: { gitBranch?: string; commit?: string } = {}): Promise<string> {
  const error = await checkOut(source, at).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(PrepareError);
  return (error as Error).message;
}

const headOf = (folder: string) =>
  execFileSync("git", ["-c", "safe.directory=*", "status", "--branch", "--porcelain"], {
    cwd: folder,
    encoding: "utf8",
  });

describe("a repository is cloned", () => {
  test("at the commit that is checked out in it, detached; the commit is returned", async () => {
    using repo = makeRepository();
    repo.commit("a", "1");
    const hash = repo.commit("a", "2", "Change a\n\nAt length");
    const made = await checkOut(repo.path);
    expect(made).toMatchObject({ hash, message: "Change a", said: [] });
    expect(made.read("a")).toBe("2");
    expect(headOf(made.target)).toBe("## HEAD (no branch)\n");
  });

  test("at the tip of a branch, also if its name looks like an option", async () => {
    using repo = makeRepository();
    const first = repo.commit("a", "main");
    repo.git("branch", "topic/x");
    repo.git("update-ref", "refs/heads/--upload-pack=x", first);
    const second = repo.commit("a", "later");
    expect((await checkOut(repo.path)).hash).toBe(second);
    expect((await checkOut(repo.path, { gitBranch: "topic/x" })).hash).toBe(first);
    expect((await checkOut(repo.path, { gitBranch: "--upload-pack=x" })).hash).toBe(first);
  });

  test("at a tag, unless a branch has the same name; also at an annotated one", async () => {
    using repo = makeRepository();
    const first = repo.commit("a", "1");
    repo.git("tag", "v1");
    repo.git("tag", "--annotate", "--message", "Release", "v1.1");
    repo.git("tag", "both");
    const second = repo.commit("a", "2");
    repo.git("branch", "both");
    expect((await checkOut(repo.path, { gitBranch: "v1" })).hash).toBe(first);
    expect((await checkOut(repo.path, { gitBranch: "v1.1" })).hash).toBe(first);
    expect((await checkOut(repo.path, { gitBranch: "both" })).hash).toBe(second);
  });

  test("at a commit even if a branch has its hash as name", async () => {
    using repo = makeRepository();
    const hash = repo.commit("a", "1");
    repo.commit("a", "2");
    repo.git("branch", hash.slice(0, 8));
    const made = await checkOut(repo.path, { commit: hash }).catch((error: Error) => error.message);
    expect(made).toMatchObject({ hash });
  });

  test("at a commit on any branch, by its full or shortened hash", async () => {
    using repo = makeRepository();
    const hash = repo.commit("a", "1");
    repo.commit("a", "2");
    expect((await checkOut(repo.path, { commit: hash })).read("a")).toBe("1");
    expect((await checkOut(repo.path, { commit: hash.slice(0, 8), gitBranch: "main" })).hash).toBe(hash);
  });

  test("with its file modes and symbolic links", async () => {
    using repo = makeRepository();
    repo.write("run.sh", "#!/bin/sh\necho ran\n");
    repo.git("add", "run.sh");
    repo.git("update-index", "--chmod=+x", "run.sh");
    repo.git("commit", "--quiet", "--message", "Add");
    const { target } = await checkOut(repo.path);
    expect(execFileSync(join(target, "run.sh"), { encoding: "utf8" })).toBe("ran\n");
  });

  test("also if it is bare, reached through a link, or belongs to another user", async () => {
    using repo = makeRepository();
    const hash = repo.commit("a", "1");
    using bare = makeRepository();
    rmSync(join(bare.path, ".git"), { recursive: true });
    bare.git("clone", "--quiet", "--bare", repo.path, ".");
    expect(holdsRepository(readdirSync(bare.path))).toBe(true);
    expect((await checkOut(bare.path)).hash).toBe(hash);
    if (process.getuid?.() !== 0) return;
    giveAway(repo.path);
    expect((await checkOut(repo.path)).hash).toBe(hash);
  });

  test("without a change of the source", async () => {
    using repo = makeRepository();
    repo.commit("a", "1");
    repo.write("b", "new");
    utimesSync(join(repo.path, "a"), 0, 0); // a plain `git status` would update the index for it
    const index = readFileSync(join(repo.path, ".git/index"));
    const before = stateOf(repo);
    const { target } = await checkOut(repo.path);
    writeFileSync(join(target, "a"), "the task wrote this");
    expect(readFileSync(join(repo.path, ".git/index")).equals(index)).toBe(true);
    expect(stateOf(repo)).toBe(before);
    expect(readFileSync(join(repo.path, "a"), "utf8")).toBe("1");
  });
});

const stateOf = (repo: Repository) =>
  repo.git("--no-optional-locks", "status", "--porcelain") + repo.git("for-each-ref");

function giveAway(path: string): void {
  chownSync(path, 65_534, 65_534);
  for (const entry of readdirSync(path, { recursive: true, encoding: "utf8" })) {
    chownSync(join(path, entry), 65_534, 65_534);
  }
}

test("a long commit message is cut at 100 whole characters", async () => {
  using repo = makeRepository();
  repo.commit("a", "1", "🚦".repeat(150));
  expect((await checkOut(repo.path)).message).toBe("🚦".repeat(100));
});

test("uncommitted changes are not checked out, and are reported", async () => {
  using repo = makeRepository();
  repo.commit("a", "committed");
  repo.write("a", "changed");
  repo.write("new", "untracked");
  const { said, read, target } = await checkOut(repo.path);
  expect(read("a")).toBe("committed");
  expect(readdirSync(target).sort()).toEqual([".git", "a"]);
  expect(said).toEqual([`${repo.path} has uncommitted changes, which are not checked out:\n M a\n?? new`]);
});

describe("a failed check-out is explained in a sentence", () => {
  const at = async (make: (repo: Repository) => Parameters<typeof checkOut>[1]) => {
    using repo = makeRepository();
    repo.commit("a", "1");
    return (await refusal(repo.path, make(repo))).replace(repo.path, "REPO");
  };

  test("a branch or tag that does not exist, also if its name is the hash of a commit", async () => {
    expect(await at(() => ({ gitBranch: "nope" }))).toBe(
      "Cannot check out REPO: it has no branch or tag nope",
    );
    expect(await at((repo) => ({ gitBranch: repo.git("rev-parse", "HEAD") }))).toMatch(
      /it has no branch or tag [0-9a-f]+$/,
    );
  });

  test("an expression in place of a branch's name", async () => {
    for (const gitBranch of ["main~0", "main@{0}", "main:a", "main^{/Write}", "../heads/main", ":/Write"]) {
      expect(await at(() => ({ gitBranch }))).toBe(
        `Cannot check out REPO: it has no branch or tag ${gitBranch}`,
      );
    }
  });

  test("a commit that does not exist, or is another object", async () => {
    const none = "0123456789abcdef0123456789abcdef01234567";
    expect(await at(() => ({ commit: none }))).toBe(`Cannot check out REPO: it has no commit ${none}`);
    expect(await at((repo) => ({ commit: repo.git("rev-parse", "HEAD:a") }))).toMatch(/it has no commit/);
  });

  test("names that look like options fail and have no other effect", async () => {
    expect(await at(() => ({ gitBranch: "--help" }))).toBe(
      "Cannot check out REPO: it has no branch or tag --help",
    );
    expect(await at(() => ({ commit: "--all" }))).toBe("Cannot check out REPO: it has no commit --all");
  });

  test("a repository without a commit", async () => {
    using repo = makeRepository();
    expect(await refusal(repo.path)).toBe(`Cannot check out ${repo.path}: it has no commit`);
  });

  test("a repository with missing objects, in git's own words", async () => {
    using repo = makeRepository();
    const hash = repo.commit("a", "1");
    const tree = repo.git("rev-parse", `${hash}^{tree}`);
    rmSync(join(repo.path, ".git/objects", tree.slice(0, 2), tree.slice(2)), { force: true });
    expect(await refusal(repo.path)).toMatch(
      /^Cannot check out \S+: (git \S+ said: .*|1 of its files could not be written: a \(error: .*\))$/,
    );
  });
});

test("an aborted signal ends a check-out with the signal's reason", async () => {
  using repo = makeRepository();
  repo.commit("a", "1");
  const stop = new AbortController();
  const checking = checkOut(repo.path, {}, stop.signal);
  stop.abort(new Error("stopped"));
  await expect(checking).rejects.toThrow("stopped");
});

test("a folder with .git, or with HEAD and objects, is a repository", () => {
  using repo = makeRepository();
  expect(holdsRepository(readdirSync(repo.path))).toBe(true);
  expect(holdsRepository(readdirSync(join(repo.path, ".git")))).toBe(true);
  expect(holdsRepository(readdirSync(tmpdir()))).toBe(false);
});
