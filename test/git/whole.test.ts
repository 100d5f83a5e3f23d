import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CheckOut } from "../../src/git/check-out.ts";
import { PrepareError } from "../../src/task/errors.ts";
import { makeGit, PLAIN } from "./make-git.ts";
import { makeRepository, type Repository } from "./repository.ts";

let root: string;
let up: Repository;
let head: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "signalman-whole-"));
  up = makeRepository();
  mkdirSync(join(up.path, "conf"));
  for (const n of [1, 2, 3]) up.commit(`conf/${n}`, `rule ${n}`);
  head = up.commit("script", "echo");
  up.git("config", "uploadpack.allowFilter", "true");
});
afterEach(() => {
  up[Symbol.dispose]();
  rmSync(root, { recursive: true, force: true });
});

const upUrl = () => pathToFileURL(up.path).href;
const git = (cwd: string, ...args: string[]) => execFileSync("git", args, { cwd, encoding: "utf8" }).trim();
function cloneOf(name: string, ...options: string[]): string {
  git(root, "clone", "--quiet", ...options, upUrl(), name);
  return join(root, name);
}

let count = 0;
async function checkOut(source: string, options: Partial<CheckOut> = {}, env: Record<string, string> = {}) {
  const target = join(root, `work-${++count}`);
  mkdirSync(target);
  const said: string[] = [];
  const client = makeGit(join(root, "data"), { env: { PATH: process.env.PATH ?? "", ...env } });
  const whole = { ...PLAIN, say: (text: string) => void said.push(text), ...options, source, target };
  await client.checkOut(whole, new AbortController().signal);
  return { target, said };
}
const refusal = async (...args: Parameters<typeof checkOut>) => {
  const error = await checkOut(...args).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(PrepareError);
  return (error as Error).message;
};

/** Asserts that the workspace holds the commit's whole tree. */
function expectWhole(target: string): void {
  const named = git(up.path, "ls-tree", "-r", "--name-only", head).split("\n");
  const found = readdirSync(target, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(target.length + 1))
    .filter((name) => !name.startsWith(".git/"));
  expect(found.sort()).toEqual(named.sort());
  expect(git(target, "status", "--porcelain")).toBe("");
}

describe("the whole tree is checked out", () => {
  const sources: Record<string, () => string> = {
    "a sparse clone": () => cloneOf("sparse", "--sparse"),
    "a partial clone": () => cloneOf("partial", "--filter=blob:none", "--no-checkout"),
    "a partial and sparse clone": () => cloneOf("both", "--filter=blob:none", "--sparse"),
    "a clone without trees": () => cloneOf("treeless", "--filter=tree:0", "--no-checkout"),
    "a bare partial clone": () => cloneOf("bare", "--bare", "--filter=blob:none"),
    "a work tree of another clone": () => {
      git(cloneOf("main"), "worktree", "add", "--quiet", "--detach", join(root, "tree"));
      return join(root, "tree");
    },
    "a shallow clone": () => cloneOf("shallow", "--depth=1"),
    "a clone that borrows": () => {
      git(root, "clone", "--quiet", "--shared", up.path, "borrowing");
      return join(root, "borrowing");
    },
    "a clone whose config names another work tree": () => {
      const path = cloneOf("elsewhere");
      git(path, "config", "core.worktree", root);
      return path;
    },
  };
  test.each(Object.keys(sources))("of %s, with every depth", async (name) => {
    const source = sources[name]?.() ?? "";
    for (const options of [{}, { depth: 1 }, { copyObjects: true }]) {
      const { target } = await checkOut(source, options);
      expectWhole(target);
    }
  });

  test("of a partial clone, which is not changed; the log says that missing objects are fetched", async () => {
    const source = cloneOf("partial", "--filter=blob:none", "--sparse");
    const before = readdirSync(source, { recursive: true }).sort();
    const { said } = await checkOut(source);
    expect(said).toEqual([`${source} is a partial clone; missing objects are fetched from its origin`]);
    expect(readdirSync(source, { recursive: true }).sort()).toEqual(before);
  });

  test("even if the server forwards variables of git", async () => {
    const source = cloneOf("plain");
    const odd = {
      GIT_DIR: join(root, "nowhere"),
      GIT_WORK_TREE: root,
      GIT_INDEX_FILE: join(root, "index"),
      GIT_OBJECT_DIRECTORY: join(root, "objects"),
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "core.sparseCheckout",
      GIT_CONFIG_VALUE_0: "true",
      GIT_LFS_SKIP_SMUDGE: "1",
    };
    expectWhole((await checkOut(source, {}, odd)).target);
  });
});

describe("an incomplete check-out is refused", () => {
  const objectOf = (folder: string, revision: string) => {
    const hash = git(folder, "rev-parse", revision);
    return join(folder, ".git/objects", hash.slice(0, 2), hash.slice(2));
  };
  function looseClone(): string {
    git(root, "clone", "--quiet", "--no-hardlinks", up.path, "broken");
    return join(root, "broken");
  }

  test("with the names of missing files", async () => {
    const source = looseClone();
    for (const n of [1, 3]) rmSync(objectOf(source, `HEAD:conf/${n}`));
    expect(await refusal(source)).toMatch(
      /^Cannot check out \S+: 2 of its files could not be written: conf\/1, conf\/3 \(error: .*conf\/1/,
    );
    expect(await refusal(source, { depth: 1 })).toMatch(/^Cannot check out \S+: git fetch said: .*/);
  });

  test("if a tree is missing, or the repository that it borrows from is gone", async () => {
    const source = looseClone();
    rmSync(objectOf(source, "HEAD:conf"));
    expect(await refusal(source)).toMatch(/^Cannot check out \S+: /);
    git(root, "clone", "--quiet", "--shared", up.path, "borrowing");
    rmSync(join(up.path, ".git"), { recursive: true });
    expect(await refusal(join(root, "borrowing"))).toMatch(/^Cannot check out \S+: /);
  });

  test("if the origin of a partial clone is gone", async () => {
    const source = cloneOf("partial", "--filter=blob:none", "--sparse");
    rmSync(up.path, { recursive: true });
    expect(await refusal(source)).toMatch(/^Cannot check out \S+: .*/);
  });

  test("if a submodule has no URL", async () => {
    up.git("update-index", "--add", "--cacheinfo", `160000,${head},vendor/lib`);
    up.git("commit", "--quiet", "--message", "Link");
    expect(await refusal(up.path)).toBe(
      `Cannot check out the submodule vendor/lib: it has no URL in .gitmodules; add one, or set skipSubmodules`,
    );
    const { target } = await checkOut(up.path, { skipSubmodules: true });
    expect(existsSync(join(target, "vendor/lib"))).toBe(true);
  });
});

describe("a folder whose .git is not a repository", () => {
  test("is refused; a repository above it is not used instead", async () => {
    for (const damage of ["empty", "no HEAD", "garbage"]) {
      const inner = join(up.path, `inner ${damage}`);
      mkdirSync(inner);
      if (damage === "garbage") writeFileSync(join(inner, ".git"), "gitdir: /nowhere\n");
      else if (damage === "empty") mkdirSync(join(inner, ".git"));
      else {
        git(inner, "init", "--quiet");
        rmSync(join(inner, ".git/HEAD"));
      }
      expect(await refusal(inner)).toMatch(
        /^Cannot check out .*: git rev-parse said: fatal: .*not a git repo/,
      );
    }
  });
});

test("a clone with copyObjects holds all objects itself, also if its source borrows", async () => {
  git(root, "clone", "--quiet", "--shared", up.path, "borrowing");
  const { target } = await checkOut(join(root, "borrowing"), { copyObjects: true });
  rmSync(up.path, { recursive: true });
  rmSync(join(root, "borrowing"), { recursive: true });
  expect(existsSync(join(target, ".git/objects/info/alternates"))).toBe(false);
  expect(git(target, "fsck", "--full")).toBe("");
  expect(readFileSync(join(target, "conf/2"), "utf8")).toBe("rule 2");
});
