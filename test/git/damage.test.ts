import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startGitHttp } from "../support/git-http.ts";
import { makeRepository, type Repository } from "./repository.ts";
import { makeScene } from "./scene.ts";

let stack: AsyncDisposableStack;
let repo: Repository;
let scene: ReturnType<typeof makeScene>;
let tasks: string[];
let told: string[];
let url: string;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  repo = stack.use(makeRepository());
  tasks = [];
  told = [];
  scene = stack.use(makeScene({ tasks: async () => tasks, onDamaged: (mirror) => void told.push(mirror) }));
  repo.commit("a", "1".repeat(5000));
  repo.commit("b", "2");
  repo.git("branch", "other");
  repo.git("tag", "--annotate", "--message", "v1", "v1");
  scene.publish(repo, "app.git");
  url = `${stack.use(await startGitHttp({ root: scene.served })).url}/app.git`;
});
afterEach(() => stack.disposeAsync());

const mirror = () =>
  join(scene.mirrors, readdirSync(scene.mirrors).filter((name) => !name.includes("."))[0] ?? "");
const at = (...path: string[]) => join(mirror(), ...path);
const inMirror = (...args: string[]) =>
  execFileSync("git", ["--git-dir", mirror(), ...args], { encoding: "utf8" }).trim();
/** Returns the path of a revision's loose object. */
const objectOf = (revision: string) => {
  const hash = inMirror("rev-parse", revision);
  return at("objects", hash.slice(0, 2), hash.slice(2));
};
function packObjects(): string[] {
  inMirror("repack", "-a", "-d", "--quiet");
  return readdirSync(at("objects/pack")).map((name) => at("objects/pack", name));
}
function overwrite(path: string, text: string) {
  chmodSync(path, 0o600);
  writeFileSync(path, text);
}
function pipeAt(path: string) {
  rmSync(path, { recursive: true, force: true });
  execFileSync("mkfifo", [path]);
}
const packs = () => packObjects().filter((path) => path.endsWith(".pack"));

/** Damages that a power cut, a full disk or a clean-up can do to a mirror. */
const DAMAGES: Record<string, () => void> = {
  "no HEAD": () => rmSync(at("HEAD")),
  "an empty HEAD": () => overwrite(at("HEAD"), ""),
  "no folder of objects": () => rmSync(at("objects"), { recursive: true }),
  "no objects": () => {
    rmSync(at("objects"), { recursive: true });
    mkdirSync(at("objects"));
  },
  "empty objects": () =>
    readdirSync(at("objects"), { recursive: true, encoding: "utf8" })
      .filter((name) => /^..\/[0-9a-f]{38}$/.test(name))
      .forEach((name) => void overwrite(at("objects", name), "")),
  "a missing blob": () => rmSync(objectOf("main:a")),
  "an empty blob": () => overwrite(objectOf("main:a"), ""),
  "a blob of garbage": () => overwrite(objectOf("main:a"), "garbage"),
  "a missing tree": () => rmSync(objectOf("main^{tree}")),
  "a missing commit": () => rmSync(objectOf("main")),
  "truncated packs": () =>
    packs().forEach((path) => {
      chmodSync(path, 0o600);
      truncateSync(path, 100);
    }),
  "empty packs": () => packs().forEach((path) => void overwrite(path, "")),
  "empty pack indexes": () =>
    packObjects()
      .filter((path) => path.endsWith(".idx"))
      .forEach((path) => void overwrite(path, "")),
  "an empty ref": () => overwrite(at("refs/heads/main"), ""),
  "an empty ref of another branch": () => overwrite(at("refs/heads/other"), ""),
  "a ref of zero bytes": () => overwrite(at("refs/heads/main"), "\0".repeat(41)),
  "a ref to a missing commit": () => overwrite(at("refs/heads/main"), `${"1".repeat(40)}\n`),
  "no refs": () => rmSync(at("refs"), { recursive: true }),
  "a bad packed-refs": () => writeFileSync(at("packed-refs"), "garbage\n"),
  "a packed-refs that is cut": () => {
    inMirror("pack-refs", "--all");
    truncateSync(at("packed-refs"), 60);
  },
  "a bad config": () => writeFileSync(at("config"), "[core"),
  "a config of a later version": () => writeFileSync(at("config"), "[core]\nrepositoryformatversion = 99\n"),
  "a config whose value is no number": () =>
    writeFileSync(at("config"), "[core]\nrepositoryformatversion = x\n"),
  "a folder as config": () => {
    rmSync(at("config"));
    mkdirSync(at("config"));
  },
  "a folder as packed-refs": () => {
    rmSync(at("packed-refs"), { force: true });
    mkdirSync(at("packed-refs"));
  },
  "a multi-pack-index of zero bytes": () => {
    packObjects();
    writeFileSync(at("objects/pack/multi-pack-index"), "\0".repeat(200));
  },
  "an empty config": () => writeFileSync(at("config"), ""),
  "a named pipe as HEAD": () => pipeAt(at("HEAD")),
  "a named pipe as packed-refs": () => pipeAt(at("packed-refs")),
  "a named pipe as an object": () => pipeAt(objectOf("main:a")),
  "a link to a device as a ref": () => {
    rmSync(at("refs/heads/main"));
    symlinkSync("/dev/zero", at("refs/heads/main"));
  },
  "a named pipe as the whole mirror": () => pipeAt(mirror()),
  "a stale lock": () => writeFileSync(at("shallow.lock"), ""),
};

describe("tasks get whole check-outs in spite of a mirror with", () => {
  test.each(Object.keys(DAMAGES))("%s", async (name) => {
    await scene.checkOut(url);
    DAMAGES[name]?.();
    for (const options of [{}, { depth: 1 }, { gitBranch: "other" }]) {
      const { read, target } = await scene.checkOut(url, options);
      expect([read("a").length, read("b")]).toEqual([5000, "2"]);
      expect(execFileSync("git", ["status", "--porcelain"], { cwd: target, encoding: "utf8" })).toBe("");
    }
    expect(told.length).toBeLessThanOrEqual(1);
  });
});

test("damage is logged once, in the server's log and in that of the task that found it", async () => {
  await scene.checkOut(url);
  const first = mirror();
  rmSync(objectOf("main:a"));
  const { said } = await scene.checkOut(url);
  expect(said).toEqual([
    expect.stringMatching(/^The mirror of http:\S+ is damaged \(error: unable to read sha1 file of a /),
  ]);
  expect(told).toEqual([first]);
  expect((await scene.checkOut(url)).said).toEqual([]);
  expect(told).toHaveLength(1);
});

test("a damaged mirror stays until the tasks that may borrow from it are gone", async () => {
  tasks = ["running"];
  const running = await scene.checkOut(url);
  const first = mirror();
  rmSync(join(first, "HEAD"));
  await scene.checkOut(url);
  expect(readFileSync(join(running.target, ".git/objects/info/alternates"), "utf8")).toContain(first);
  tasks = ["running", "later"];
  await scene.checkOut(url);
  await scene.removeUnused(new Date(0));
  expect(existsSync(join(first, "objects"))).toBe(true);
  expect(execFileSync("git", ["show", "HEAD:b"], { cwd: running.target, encoding: "utf8" })).toBe("2");
  tasks = ["later"];
  await scene.removeUnused(new Date(0));
  expect(readdirSync(scene.mirrors)).toEqual([expect.stringMatching(/^[0-9a-f]{32}\.2$/)]);
  await scene.checkOut(url);
});

test("damaged mirrors stay for tasks of an earlier server too, each of several until its own borrowers are gone", async () => {
  tasks = ["running"];
  await scene.checkOut(url);
  const first = mirror();
  rmSync(join(first, "HEAD"));
  await scene.checkOut(url);
  using later = makeScene({ root: scene.mirrors, tasks: async () => tasks });
  const second = `${first}.2`;
  overwrite(join(second, "HEAD"), "");
  tasks = ["running", "of the second"];
  await later.checkOut(url);
  expect(readdirSync(scene.mirrors).filter((name) => !name.endsWith(".tasks"))).toHaveLength(3);
  tasks = ["of the second"];
  await later.checkOut(url);
  expect(existsSync(first)).toBe(false);
  tasks = [];
  await later.checkOut(url);
  expect(readdirSync(scene.mirrors)).toEqual([expect.stringMatching(/\.3$/)]);
});

test("while the remote cannot be reached a damaged mirror stays, and the error is that of the network", async () => {
  await scene.checkOut(url);
  rmSync(at("HEAD"));
  renameSync(scene.served, `${scene.served}.away`);
  expect(await scene.refusal(url)).toMatch(/^Cannot fetch http:\S+: there is no such repository/);
  renameSync(`${scene.served}.away`, scene.served);
  expect((await scene.checkOut(url)).read("b")).toBe("2");
  expect(told).toHaveLength(1);
});

test("a repository that contains the data folder is not touched, even if the mirrors are damaged", async () => {
  using above = makeRepository();
  above.commit("mine", "1");
  above.git("branch", "precious");
  above.git("tag", "mine-1");
  const before = above.git("for-each-ref");
  using inside = makeScene({ root: join(above.path, "data/mirrors") });
  await inside.checkOut(url);
  const found = join(above.path, "data/mirrors", readdirSync(join(above.path, "data/mirrors"))[0] ?? "");
  for (const part of ["HEAD", "refs", "objects"]) {
    rmSync(join(found, part), { recursive: true, force: true });
    expect((await inside.checkOut(url)).read("b")).toBe("2");
  }
  expect(above.git("for-each-ref")).toBe(before);
  expect(above.git("status", "--porcelain")).toBe("?? data/");
});

test.each(["a link", "a commondir"])(
  "another repository is not touched through %s in the place of a mirror",
  async (way) => {
    using other = makeRepository();
    other.commit("mine", "1");
    other.git("branch", "precious");
    const before = other.git("for-each-ref");
    await scene.checkOut(url);
    const path = mirror();
    if (way === "a commondir") writeFileSync(join(path, "commondir"), join(other.path, ".git"));
    else {
      rmSync(path, { recursive: true });
      symlinkSync(join(other.path, ".git"), path);
    }
    expect((await scene.checkOut(url)).read("b")).toBe("2");
    expect(other.git("for-each-ref")).toBe(before);
    expect(told).toEqual([path]);
  },
);

test("a damaged mirror stays while task folders cannot be listed", async () => {
  let isShort = false;
  const list = async () => {
    if (isShort) throw new Error("EMFILE");
    return [];
  };
  using short = makeScene({ root: scene.mirrors, tasks: list });
  await short.checkOut(url);
  const first = mirror();
  rmSync(join(first, "HEAD"));
  isShort = true;
  await short.checkOut(url);
  await expect(short.removeUnused(new Date(0))).rejects.toThrow("EMFILE");
  expect(existsSync(join(first, "objects"))).toBe(true);
  isShort = false;
  await short.removeUnused(new Date(0));
  expect(existsSync(first)).toBe(false);
});

test("several tasks that find the damage at once fetch one new mirror", async () => {
  await scene.checkOut(url);
  const first = mirror();
  rmSync(objectOf("main:a"));
  const made = await Promise.all([1, 2, 3].map(() => scene.checkOut(url)));
  expect(made.map(({ read }) => read("b"))).toEqual(["2", "2", "2"]);
  expect(told).toEqual([first]);
  await scene.checkOut(url);
  expect(readdirSync(scene.mirrors)).toEqual([expect.stringMatching(/\.2$/)]);
});
