import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startGitHttp } from "../support/git-http.ts";
import { makeGit, PLAIN } from "./make-git.ts";
import { makeRepository, type Repository } from "./repository.ts";
import { makeScene } from "./scene.ts";

let stack: AsyncDisposableStack;
let scene: ReturnType<typeof makeScene>;
let app: Repository;
let lib: Repository;
let base: Repository;
beforeEach(() => {
  stack = new AsyncDisposableStack();
  scene = stack.use(makeScene());
  [app, lib, base] = [stack.use(makeRepository()), stack.use(makeRepository()), stack.use(makeRepository())];
  app.commit("app", "app");
  lib.commit("lib", "lib");
  base.commit("base", "base");
});
afterEach(() => stack.disposeAsync());

const GITLINK = "160000";
/** Commits a submodule with these settings, valid or not. */
function link(
  into: Repository,
  { name = "sub", path = "sub", url = "../lib.git", hash = "", more = "" },
): string {
  const settings = `[submodule "${name}"]\n\tpath = ${path}\n\turl = ${url}\n${more}`;
  const others = existsSync(join(into.path, ".gitmodules"))
    ? readFileSync(join(into.path, ".gitmodules"), "utf8")
    : "";
  into.write(".gitmodules", others + settings);
  into.git("add", ".gitmodules");
  into.git("update-index", "--add", "--cacheinfo", `${GITLINK},${hash},${path.replace(/^[./]+/, "")}`);
  into.git("commit", "--quiet", "--message", "Link");
  return into.git("rev-parse", "HEAD");
}
const tipOf = (repository: Repository) => repository.git("rev-parse", "HEAD");
const publishAll = () => {
  scene.publish(app, "app.git");
  scene.publish(lib, "lib.git");
  scene.publish(base, "base.git");
};

describe("submodules of a remote", () => {
  test("are cloned with their own submodules, each at its commit through its own mirror", async () => {
    link(lib, { name: "base", path: "deep/base", url: "../base.git", hash: tipOf(base) });
    link(app, { hash: tipOf(lib) });
    base.commit("base", "later");
    publishAll();
    const login = { login: "ci", password: "s3cret" };
    const server = stack.use(await startGitHttp({ root: scene.served, login }));
    const made = await scene.checkOut(`${server.url}/app.git`, {
      access: scene.credentials("ci", "s3cret"),
      key: "k",
    });
    expect([made.read("sub/lib"), made.read("sub/deep/base/base")]).toEqual(["lib", "base"]);
    expect(readdirSync(scene.mirrors)).toHaveLength(3);
    const status = execFileSync("git", ["submodule", "status", "--recursive"], {
      cwd: made.target,
      encoding: "utf8",
    });
    // A leading blank means that the submodule is at the recorded commit.
    expect(status.match(/^./gm)).toEqual([" ", " "]);
  });

  test("are cloned with the repository's depth of history, or not at all", async () => {
    lib.commit("lib", "again");
    link(app, { hash: tipOf(lib) });
    link(app, { name: "none", path: "none", hash: tipOf(lib), more: "\tupdate = none\n" });
    publishAll();
    const { url } = stack.use(await startGitHttp({ root: scene.served }));
    const made = await scene.checkOut(`${url}/app.git`, { depth: 1 });
    const count = execFileSync("git", ["rev-list", "--count", "HEAD"], {
      cwd: join(made.target, "sub"),
      encoding: "utf8",
    });
    expect(count.trim()).toBe("1");
    expect(readdirSync(join(made.target, "none"))).toEqual([]);
    const without = await scene.checkOut(`${url}/app.git`, { skipSubmodules: true });
    expect(readdirSync(join(without.target, "sub"))).toEqual([]);
  });

  test("are fetched with the access key only on the same host", async () => {
    const login = { login: "ci", password: "s3cret" };
    const [own, foreign] = [
      stack.use(await startGitHttp({ root: scene.served, login })),
      stack.use(await startGitHttp({ root: scene.served, login })),
    ];
    link(app, { url: `${foreign.url}/lib.git`, hash: tipOf(lib) });
    publishAll();
    const access = scene.credentials("ci", "s3cret");
    expect(await scene.refusal(`${own.url}/app.git`, { access })).toMatch(
      new RegExp(`^Cannot fetch ${foreign.url}/lib.git: .* requires a login and password`),
    );
    expect([own.logins.length > 0, foreign.logins]).toEqual([true, []]);
  });

  test.each([
    ["a folder of this server", { url: "/etc" }, /expected an https:/],
    ["a folder by URL", { url: "file:///etc" }, /expected an https:/],
    ["a helper, for which git starts a program", { url: "ext::sh -c id" }, /expected an https:/],
    ["an option as a host", { url: "ssh://-oProxyCommand=id/x" }, /expected an https:/],
    ["a password in a URL", { url: "https://me:secret@example.com/x" }, /expected an https:/],
    [
      "an option as a URL",
      { url: "--upload-pack=id" },
      /Cannot check out the submodule "sub": its name, path or URL/,
    ],
    [
      "a path that leads out",
      { path: "../../sub" },
      /Cannot check out the submodule "sub": its name, path or URL/,
    ],
    [
      "a name that leads out",
      { name: "../../hooks" },
      /Cannot check out the submodule "..\/..\/hooks": its name, path or URL/,
    ],
    ["an option as a path", { path: "-sub" }, /Cannot check out the submodule "sub": its name, path or URL/],
  ])("are refused if .gitmodules names %s", async (_, what, told) => {
    link(app, { ...what, hash: tipOf(lib) });
    publishAll();
    const { url } = stack.use(await startGitHttp({ root: scene.served }));
    const message = await scene.refusal(`${url}/app.git`);
    expect(message).toMatch(told);
    expect(message).not.toContain("secret");
  });

  test("that contain themselves are refused", async () => {
    let hash = tipOf(lib);
    for (let times = 0; times < 11; times++) {
      lib.git("read-tree", "--empty");
      rmSync(join(lib.path, ".gitmodules"), { force: true });
      hash = link(lib, { url: "./", hash });
    }
    link(app, { hash });
    publishAll();
    const { url } = stack.use(await startGitHttp({ root: scene.served }));
    expect(await scene.refusal(`${url}/app.git`)).toMatch(/submodules are nested more than 10 levels deep/);
  });

  test("at a commit that does not exist fail the check-out", async () => {
    link(app, { hash: "0123456789abcdef0123456789abcdef01234567" });
    publishAll();
    const { url } = stack.use(await startGitHttp({ root: scene.served }));
    expect(await scene.refusal(`${url}/app.git`)).toBe(
      `Cannot check out ${url}/lib.git: it has no commit 0123456789abcdef0123456789abcdef01234567`,
    );
  });
});

describe("submodules of a repository in a local folder", () => {
  async function checkOut(source: string) {
    const target = mkdtempSync(join(tmpdir(), "signalman-target-"));
    stack.defer(() => rmSync(target, { recursive: true }));
    const said: string[] = [];
    const git = makeGit(scene.data);
    const options = { ...PLAIN, source, target, say: (text: string) => void said.push(text) };
    await git.checkOut(options, new AbortController().signal);
    return { said, read: (file: string) => readFileSync(join(target, file), "utf8") };
  }
  const add = (into: Repository, url: string) => {
    into.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "--", url, "sub");
    into.git("commit", "--quiet", "--message", "Add");
  };

  test("may be local folders, by absolute or relative path", async () => {
    link(app, { url: lib.path, hash: tipOf(lib) });
    expect((await checkOut(app.path)).read("sub/lib")).toBe("lib");
    publishAll();
    link(base, { url: "../lib.git", hash: tipOf(lib) });
    scene.publish(base, "base.git");
    expect((await checkOut(join(scene.served, "base.git"))).read("sub/lib")).toBe("lib");
  });

  test("are cloned from their clones inside the folder, with commits that were never pushed", async () => {
    add(app, lib.path);
    app.git("-C", "sub", "commit", "--quiet", "--allow-empty", "--message", "Here alone");
    app.git("commit", "--quiet", "--all", "--message", "Move");
    lib.git("checkout", "--quiet", "--detach");
    const { said, read } = await checkOut(app.path);
    expect([read("sub/lib"), said]).toEqual(["lib", []]);
  });

  test("with uncommitted changes are checked out as committed, and reported", async () => {
    add(app, lib.path);
    execFileSync("sh", ["-c", "echo changed >lib; echo new >other"], { cwd: join(app.path, "sub") });
    const { said, read } = await checkOut(app.path);
    expect(read("sub/lib")).toBe("lib");
    expect(said).toEqual([`${app.path} has uncommitted changes, which are not checked out:\n M sub`]);
  });
});
