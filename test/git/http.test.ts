import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type GitHttp, type GitHttpOptions, startGitHttp } from "../support/git-http.ts";
import { makeRepository, type Repository } from "./repository.ts";
import { makeScene } from "./scene.ts";

let stack: AsyncDisposableStack;
let repo: Repository;
let scene: ReturnType<typeof makeScene>;
beforeEach(() => {
  stack = new AsyncDisposableStack();
  repo = stack.use(makeRepository());
  scene = stack.use(makeScene());
});
afterEach(() => stack.disposeAsync());

async function serve(options: Omit<GitHttpOptions, "root"> = {}): Promise<GitHttp> {
  return stack.use(await startGitHttp({ root: scene.served, ...options }));
}
const publish = () => scene.publish(repo, "app.git");
const mirrorsOf = () => readdirSync(scene.mirrors);
const fetchesIn = ({ requests }: GitHttp) => requests.filter((path) => path.includes("info/refs")).length;

/** Names of the files under a folder that hold a text. */
function filesWith(text: string, folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => {
    const path = join(folder, name);
    return statSync(path).isFile() && readFileSync(path, "latin1").includes(text);
  });
}

describe("a remote repository is cloned through its mirror", () => {
  test("at its default branch, detached, with its URL as origin; the commit is returned", async () => {
    repo.commit("a", "1");
    repo.git("checkout", "--quiet", "-b", "trunk");
    const hash = repo.commit("a", "2", "Change a");
    publish();
    const { url } = await serve();
    const made = await scene.checkOut(`${url}/app.git`);
    expect(made).toMatchObject({ hash, message: "Change a", said: [] });
    expect(made.read("a")).toBe("2");
    const git = (...args: string[]) =>
      execFileSync("git", args, { cwd: made.target, encoding: "utf8" }).trim();
    expect(git("status", "--branch", "--porcelain")).toBe("## HEAD (no branch)");
    expect(git("remote", "get-url", "origin")).toBe(`${url}/app.git`);
    expect(git("branch", "--remotes").split(/\s+/)).toContain("origin/main");
    expect(statSync(scene.mirrors).mode & 0o077).toBe(0);
  });

  test("a second time, fetching only new commits; the mirror is fetched once for each task", async () => {
    repo.commit("a", "1");
    publish();
    const server = await serve();
    await scene.checkOut(`${server.url}/app.git`);
    const hash = repo.commit("a", "2");
    publish();
    expect((await scene.checkOut(`${server.url}/app.git`)).hash).toBe(hash);
    expect(fetchesIn(server)).toBe(2);
    expect(mirrorsOf()).toHaveLength(1);
  });

  test("at branches, tags and commits; a branch overrides a tag of its name, a commit overrides both", async () => {
    const first = repo.commit("a", "1");
    repo.git("tag", "v1");
    repo.git("tag", "--annotate", "--message", "Both", "both");
    const second = repo.commit("a", "2");
    repo.git("branch", "both");
    const third = repo.commit("a", "3");
    publish();
    const url = `${(await serve()).url}/app.git`;
    expect((await scene.checkOut(url, { gitBranch: "v1" })).hash).toBe(first);
    expect((await scene.checkOut(url, { gitBranch: "both" })).hash).toBe(second);
    expect((await scene.checkOut(url, { gitBranch: "both", commit: third })).hash).toBe(third);
    expect((await scene.checkOut(url, { commit: first.slice(0, 10) })).hash).toBe(first);
  });

  test("for two concurrent tasks with different branches: each sees its own commit and no file of the other", async () => {
    repo.commit("common", "");
    repo.git("checkout", "--quiet", "-b", "one");
    const one = repo.commit("one", "1");
    repo.git("checkout", "--quiet", "-b", "two", "main");
    const two = repo.commit("two", "2");
    publish();
    const server = await serve();
    const url = `${server.url}/app.git`;
    const made = await Promise.all(["one", "two"].map((gitBranch) => scene.checkOut(url, { gitBranch })));
    expect(made.map(({ hash }) => hash)).toEqual([one, two]);
    expect(made.map(({ target }) => readdirSync(target).sort())).toEqual([
      [".git", "common", "one"],
      [".git", "common", "two"],
    ]);
    expect(fetchesIn(server)).toBe(2);
  });

  test("with the requested depth of history, also at a commit that is not the tip of a branch", async () => {
    for (const text of ["1", "2", "3"]) repo.commit("a", text);
    const second = repo.git("rev-parse", "HEAD~1");
    publish();
    const url = `${(await serve()).url}/app.git`;
    const countIn = (cwd: string) =>
      execFileSync("git", ["rev-list", "--count", "HEAD"], { cwd, encoding: "utf8" }).trim();
    expect(countIn((await scene.checkOut(url)).target)).toBe("3");
    expect(countIn((await scene.checkOut(url, { depth: 1 })).target)).toBe("1");
    const pinned = await scene.checkOut(url, { depth: 1, commit: second });
    expect([pinned.hash, countIn(pinned.target), pinned.read("a")]).toEqual([second, "1", "2"]);
  });
});

test("a shallow clone has the requested tag, with SHA-1 and SHA-256", async () => {
  for (const format of ["sha1", "sha256"]) {
    rmSync(join(repo.path, ".git"), { recursive: true });
    repo.git("init", "--quiet", "--initial-branch=main", `--object-format=${format}`);
    repo.commit("a", "1");
    const hash = repo.commit("a", format);
    repo.git("tag", "--annotate", "--message", "v1.2", "v1.2");
    scene.publish(repo, `${format}.git`);
    const url = `${(await serve()).url}/${format}.git`;
    for (const depth of [0, 1]) {
      const made = await scene.checkOut(url, { depth, gitBranch: "v1.2" });
      const described = execFileSync("git", ["describe", "--exact-match"], {
        cwd: made.target,
        encoding: "utf8",
      });
      expect([made.hash, made.read("a"), described]).toEqual([hash, format, "v1.2\n"]);
    }
  }
});

test("with copyObjects all objects are copied, so that a container needs only the workspace", async () => {
  repo.commit("a", "1");
  publish();
  const { target } = await scene.checkOut(`${(await serve()).url}/app.git`, { copyObjects: true });
  rmSync(scene.data, { recursive: true });
  expect(execFileSync("git", ["fsck", "--full"], { cwd: target, encoding: "utf8" })).toBe("");
});

describe("changes on the remote", () => {
  test("a force-pushed branch: later tasks see the new commit, a running task keeps the old one", async () => {
    repo.commit("a", "base");
    const old = repo.commit("a", "old");
    publish();
    const url = `${(await serve()).url}/app.git`;
    const running = await scene.checkOut(url, { gitBranch: "main" });
    repo.git("reset", "--quiet", "--hard", "HEAD~1");
    const forced = repo.commit("a", "forced");
    publish();
    expect((await scene.checkOut(url, { gitBranch: "main" })).hash).toBe(forced);
    expect(execFileSync("git", ["show", `${old}:a`], { cwd: running.target, encoding: "utf8" })).toBe("old");
    expect(execFileSync("git", ["fsck", "--no-dangling"], { cwd: running.target, encoding: "utf8" })).toBe(
      "",
    );
  });

  test("a deleted branch is not found, its commits still are, and its name may become a folder of branches", async () => {
    repo.commit("a", "1");
    repo.git("checkout", "--quiet", "-b", "topic");
    const hash = repo.commit("a", "2");
    publish();
    const url = `${(await serve()).url}/app.git`;
    await scene.checkOut(url, { gitBranch: "topic" });
    repo.git("checkout", "--quiet", "main");
    repo.git("branch", "--delete", "--force", "topic");
    repo.git("branch", "topic/deeper");
    publish();
    expect(await scene.refusal(url, { gitBranch: "topic" })).toBe(
      `Cannot check out ${url}: it has no branch or tag topic`,
    );
    expect((await scene.checkOut(url, { commit: hash })).read("a")).toBe("2");
    await scene.checkOut(url, { gitBranch: "topic/deeper" });
  });

  test("a commit that is on no branch is fetched by its hash", async () => {
    repo.commit("a", "1");
    const hash = repo.commit("a", "hidden");
    repo.git("update-ref", "refs/pull/1/head", hash);
    repo.git("reset", "--quiet", "--hard", "HEAD~1");
    repo.git("config", "uploadpack.allowAnySHA1InWant", "true");
    publish();
    const url = `${(await serve()).url}/app.git`;
    expect((await scene.checkOut(url, { commit: hash })).read("a")).toBe("hidden");
    const none = "0123456789abcdef0123456789abcdef01234567";
    expect(await scene.refusal(url, { commit: none })).toBe(
      `Cannot check out ${url}: it has no commit ${none}`,
    );
    expect(await scene.refusal(url, { commit: "0123456" })).toBe(
      `Cannot check out ${url}: it has no commit 0123456`,
    );
  });

  test("a repository that grows while it is cloned", async () => {
    repo.commit("a", "1");
    publish();
    // The server pushes a commit before each response.
    const server = await serve({
      fate() {
        repo.commit("a", `${Math.random()}`);
        execFileSync("git", ["push", "--quiet", join(scene.served, "app.git"), "HEAD:main"], {
          cwd: repo.path,
        });
        return "answer";
      },
    });
    for (let times = 0; times < 5; times++) {
      const { hash, target, read } = await scene.checkOut(`${server.url}/app.git`);
      expect(execFileSync("git", ["show", `${hash}:a`], { cwd: target, encoding: "utf8" })).toBe(read("a"));
    }
  });
});

describe("credentials", () => {
  const login = { login: "ci", password: "s3cret/+ %41\"'$x" };

  test("open a repository and are read only from their file", async () => {
    const hash = repo.commit("a", "1");
    publish();
    const server = await serve({ login });
    const access = scene.credentials(login.login, login.password);
    const made = await scene.checkOut(`${server.url}/app.git`, { access, key: "projects/p/accessKeys/ci" });
    expect(made.hash).toBe(hash);
    expect(new Set(server.logins)).toEqual(new Set(["ci"]));
    for (const folder of [scene.data, made.target]) expect(filesWith("s3cret", folder)).toEqual([]);
  });

  test("that are wrong or missing: the fetch fails without a prompt, with a message that does not contain them", async () => {
    repo.commit("a", "1");
    publish();
    const server = await serve({ login });
    const url = `${server.url}/app.git`;
    const wrong = await scene.refusal(url, { access: scene.credentials("ci", "wrong-password") });
    expect(wrong).toMatch(
      /^Cannot fetch http:\S+: 127.0.0.1:\d+ requires a login and password, and refused those of the/,
    );
    expect(wrong).not.toMatch(/wrong-password/);
    expect(await scene.refusal(url)).toMatch(/requires a login and password.*terminal prompts disabled/);
    expect(mirrorsOf()).toEqual([]);
  });

  test("of one access key do not open the mirror of another", async () => {
    repo.commit("a", "1");
    publish();
    const server = await serve({ login });
    const url = `${server.url}/app.git`;
    await scene.checkOut(url, { access: scene.credentials(login.login, login.password), key: "one" });
    await scene.checkOut(url, { access: scene.credentials(login.login, login.password), key: "two" });
    expect(mirrorsOf()).toHaveLength(2);
    expect(await scene.refusal(url, { key: "one" })).toMatch(/requires a login/);
  });
});

describe("a failed fetch is explained in a sentence", () => {
  test("a repository that does not exist", async () => {
    const { url } = await serve();
    expect(await scene.refusal(`${url}/none.git`)).toMatch(
      /^Cannot fetch http:\S+\/none.git: there is no such repository, or the access key may not read it \(fatal: .*not found/,
    );
  });

  test("a repository without a commit", async () => {
    publish();
    const { url } = await serve();
    expect(await scene.refusal(`${url}/app.git`)).toBe(
      `Cannot fetch ${url}/app.git: it has no commit, or its default branch does not exist; name a branch`,
    );
    expect(await scene.refusal(`${url}/app.git`, { gitBranch: "main" })).toMatch(
      /it has no branch or tag main$/,
    );
  });

  test("a host that does not exist, after retries that are logged", async () => {
    const said: string[] = [];
    const url = "http://127.0.0.1:1/app.git";
    const told = await scene.refusal(url, { say: (text) => void said.push(text) });
    expect(told).toMatch(/^Cannot fetch http:\S+: fatal: unable to access .*Failed to connect/);
    expect(said).toHaveLength(2);
    expect(said[0]).toMatch(/^Cannot fetch .*; try 2 of 3 in 0.01 s$/);
  });

  test("a transient error of the server is retried, a refusal is not", async () => {
    repo.commit("a", "1");
    publish();
    const bad = await serve({ fate: (_, count) => (count === 1 ? 503 : "answer") });
    await scene.checkOut(`${bad.url}/app.git`);
    const refusing = await serve({ fate: () => 403 });
    expect(await scene.refusal(`${refusing.url}/app.git`)).toMatch(/returned error: 403/);
    expect(refusing.requests).toHaveLength(1);
  });

  test("a host that does not answer times out", async () => {
    using impatient = makeScene({ idleMs: 300 });
    const server = await serve({ fate: () => "hold" });
    expect(await impatient.refusal(`${server.url}/app.git`)).toMatch(
      /^Cannot fetch http:\S+: 127.0.0.1:\d+ did not answer in time \(git printed nothing for 0.3 s\)$/,
    );
    // No request is seen if git itself took as long to start.
    expect(server.requests.length).toBeLessThanOrEqual(1);
    expect(readdirSync(impatient.mirrors)).toEqual([]);
  });

  test("a host that does not answer times out once for all queued tasks", async () => {
    using impatient = makeScene({ idleMs: 500 });
    const server = await serve({ fate: () => "hold" });
    const url = `${server.url}/app.git`;
    const told = await Promise.all([impatient.refusal(url), impatient.refusal(url), impatient.refusal(url)]);
    expect(new Set(told).size).toBe(1);
    expect(server.requests.length).toBeLessThanOrEqual(1);
    expect(await impatient.refusal(url)).toBe(told[0]);
    expect(server.requests.length).toBeLessThanOrEqual(2);
  });

  test("a server without git", async () => {
    using bare = makeScene({ env: { PATH: "/nowhere" } });
    expect(await bare.refusal("http://127.0.0.1:1/x")).toBe(
      "Cannot check out the repository: Cannot start git: there is no such program on this server; install it",
    );
  });
});

describe("an aborted signal", () => {
  test.each(["hold", "drip"] as const)(
    "during a fetch ends it at once and leaves no incomplete mirror (%s)",
    async (fate) => {
      writeFileSync(
        join(repo.path, "big"),
        Buffer.from(Array.from({ length: 300_000 }, () => Math.random() * 256)),
      );
      repo.commit("a", "1");
      repo.git("add", "big");
      repo.git("commit", "--quiet", "--message", "Big");
      publish();
      let isSlow = true;
      const server = await serve({
        fate: (path) => (isSlow && !path.includes("info/refs") ? fate : "answer"),
      });
      const stop = new AbortController();
      const checking = scene.checkOut(`${server.url}/app.git`, { signal: stop.signal });
      await server.held;
      stop.abort(new Error("stopped"));
      await expect(checking).rejects.toThrow("stopped");
      expect(mirrorsOf()).toEqual([]);
      isSlow = false;
      await scene.checkOut(`${server.url}/app.git`);
      expect(mirrorsOf()).toHaveLength(1);
    },
  );

  test("while the task is queued behind another fetch takes effect at once", async () => {
    repo.commit("a", "1");
    publish();
    const server = await serve({ fate: (_, count) => (count === 1 ? "hold" : "answer") });
    const [first, second] = [new AbortController(), new AbortController()];
    const fetching = scene.checkOut(`${server.url}/app.git`, { signal: first.signal });
    await server.held;
    const waiting = scene.checkOut(`${server.url}/app.git`, { signal: second.signal });
    second.abort(new Error("stopped in the queue"));
    await expect(waiting).rejects.toThrow("stopped in the queue");
    const next = scene.checkOut(`${server.url}/app.git`);
    first.abort(new Error("stopped"));
    await expect(fetching).rejects.toThrow("stopped");
    expect((await next).read("a")).toBe("1");
  });
});

test("locks and incomplete packs that the git of a killed server left in a mirror are removed", async () => {
  repo.commit("a", "1");
  publish();
  const url = `${(await serve()).url}/app.git`;
  await scene.checkOut(url);
  const mirror = join(scene.mirrors, mirrorsOf()[0] ?? "");
  const traces = ["packed-refs.lock", "HEAD.lock", "refs/heads/main.lock", "objects/pack/tmp_pack_x"];
  for (const trace of traces) writeFileSync(join(mirror, trace), "");
  repo.commit("a", "2");
  publish();
  using later = makeScene({ root: scene.mirrors });
  expect((await later.checkOut(url)).read("a")).toBe("2");
  expect(traces.filter((trace) => existsSync(join(mirror, trace)))).toEqual([]);
});

test("mirrors that no task has used for long are removed, others stay", async () => {
  repo.commit("a", "1");
  publish();
  scene.publish(repo, "other.git");
  const { url } = await serve();
  await scene.checkOut(`${url}/app.git`);
  const [old = ""] = mirrorsOf();
  utimesSync(join(scene.mirrors, old), 1000, 1000);
  await scene.checkOut(`${url}/other.git`);
  await scene.removeUnused(new Date(Date.now() - 60_000));
  expect(mirrorsOf()).toHaveLength(1);
  expect(mirrorsOf()).not.toContain(old);
  expect((await scene.checkOut(`${url}/app.git`)).read("a")).toBe("1");
});
