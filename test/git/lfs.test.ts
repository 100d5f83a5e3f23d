import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startGitHttp } from "../support/git-http.ts";
import { makeGit, PLAIN } from "./make-git.ts";
import { makeRepository, type Repository } from "./repository.ts";
import { makeScene } from "./scene.ts";

const NO_LFS = "git-lfs is not installed (apt-get install git-lfs)";
const hasLfs = (() => {
  try {
    execFileSync("git", ["lfs", "version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

const content = Buffer.from("what git LFS keeps\n");
const oid = createHash("sha256").update(content).digest("hex");
const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${content.length}\n`;

let stack: AsyncDisposableStack;
let repo: Repository;
let scene: ReturnType<typeof makeScene>;
beforeEach(() => {
  stack = new AsyncDisposableStack();
  repo = stack.use(makeRepository());
  scene = stack.use(makeScene());
  repo.commit(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
  repo.commit("a.bin", pointer);
  scene.publish(repo, "app.git");
});
afterEach(() => stack.disposeAsync());

describe("files of git LFS", () => {
  test("are fetched if lfs is set, with the repository's credentials, once for all tasks", async (context) => {
    if (!hasLfs) return context.skip(NO_LFS);
    const login = { login: "ci", password: "s3cret" };
    const files = new Map([[oid, content]]);
    const server = stack.use(await startGitHttp({ root: scene.served, login, files }));
    const access = scene.credentials("ci", "s3cret");
    const asked: number[] = [];
    for (const depth of [0, 1]) {
      const made = await scene.checkOut(`${server.url}/app.git`, { access, key: "k", lfs: true, depth });
      expect(made.read("a.bin")).toBe(content.toString());
      asked.push(server.requests.filter((path) => path === `/lfs/${oid}`).length);
    }
    expect(asked[0]).toBeGreaterThan(0);
    expect(asked[1]).toBe(asked[0]);
  });

  test("of a repository in a local folder are copied from it", async (context) => {
    if (!hasLfs) return context.skip(NO_LFS);
    const kept = join(repo.path, ".git/lfs/objects", oid.slice(0, 2), oid.slice(2, 4));
    mkdirSync(kept, { recursive: true });
    writeFileSync(join(kept, oid), content);
    const target = mkdtempSync(join(scene.root, "work-"));
    const options = { ...PLAIN, source: repo.path, target, lfs: true };
    await makeGit(scene.data).checkOut(options, new AbortController().signal);
    expect(readFileSync(join(target, "a.bin"), "utf8")).toBe(content.toString());
  });

  test("stay pointers if lfs is not set", async () => {
    const server = stack.use(await startGitHttp({ root: scene.served }));
    expect((await scene.checkOut(`${server.url}/app.git`)).read("a.bin")).toBe(pointer);
  });

  test("that do not exist on the remote fail the check-out", async (context) => {
    if (!hasLfs) return context.skip(NO_LFS);
    repo.commit("b.bin", pointer.replace(oid, "0".repeat(64)));
    scene.publish(repo, "app.git");
    const files = new Map([[oid, content]]);
    const server = stack.use(await startGitHttp({ root: scene.served, files }));
    for (const depth of [0, 1])
      expect(await scene.refusal(`${server.url}/app.git`, { lfs: true, depth })).toMatch(
        /^Cannot check out http:\S+: .*b\.bin/,
      );
    expect(readdirSync(scene.mirrors)).toHaveLength(1);
    const { read } = await scene.checkOut(`${server.url}/app.git`);
    expect(read("a.bin")).toBe(pointer);
  });

  test("keep it from running although the repository's .lfsconfig passes over errors", async (context) => {
    if (!hasLfs) return context.skip(NO_LFS);
    repo.commit(".lfsconfig", "[lfs]\n\tskipdownloaderrors = true\n");
    scene.publish(repo, "app.git");
    const server = stack.use(await startGitHttp({ root: scene.served, files: new Map() }));
    expect(await scene.refusal(`${server.url}/app.git`, { lfs: true })).toMatch(
      /^Cannot check out http:\S+: .*a\.bin/,
    );
  });

  test("need git-lfs; a message says so if it is missing", async () => {
    const bin = mkdtempSync(join(tmpdir(), "signalman-bin-"));
    stack.defer(() => rmSync(bin, { recursive: true }));
    for (const folder of (process.env.PATH ?? "").split(delimiter)) {
      for (const name of ["git", "sh", "cat"]) link(bin, folder, name);
    }
    using bare = makeScene({ env: { PATH: bin } });
    const server = stack.use(await startGitHttp({ root: scene.served }));
    expect(await bare.refusal(`${server.url}/app.git`, { lfs: true })).toBe(
      "Cannot fetch the files of git LFS: there is no git-lfs on this server; install it, or set lfs to false",
    );
  });
});

function link(bin: string, folder: string, name: string): void {
  try {
    if (readdirSync(folder).includes(name)) symlinkSync(join(folder, name), join(bin, name));
  } catch {
    // the folder does not exist, or the link exists already
  }
}
