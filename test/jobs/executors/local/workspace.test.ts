import { execFileSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fillWorkspace, reasonOf } from "../../../../src/jobs/executors/local/workspace.ts";
import { createInstaller } from "../../../../src/keys/installer.ts";
import { PrepareError } from "../../../../src/task/errors.ts";
import { makeGit } from "../../../git/make-git.ts";
import { makeRepository } from "../../../git/repository.ts";

let root: string;
let source: string;
let target: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "signalman-workspace-"));
  [source, target] = [join(root, "source"), join(root, "target")];
  for (const path of [source, target]) mkdirSync(path);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const never = new AbortController().signal;

function fill(url: string, at: { gitBranch?: string; commit?: string } = {}, signal = never) {
  const repository = { url, depth: 0, copyObjects: false, lfs: false, skipSubmodules: false };
  const repositoryKey = { kind: "none", name: "" } as const;
  const keys = createInstaller({ folder: root, marker: "m", path: "" });
  const git = makeGit(join(root, "data"));
  const options = {
    repository,
    repositoryKey,
    target,
    gitBranch: "",
    commit: "",
    git,
    keys,
    closed: [join(root, "closed")],
    say() {},
    ...at,
  };
  return fillWorkspace(options, signal);
}

/** Runs `work` as another user, since root may read everything. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  return work().finally(() => isRoot && process.seteuid?.(0));
}

async function refusal(url: string, at: { gitBranch?: string; commit?: string } = {}): Promise<string> {
  const error = await fill(url, at).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(PrepareError);
  return (error as Error).message;
}

describe("a folder is copied", () => {
  test("with its folders, modes and hidden files; nothing is checked out", async () => {
    mkdirSync(join(source, "deep/er"), { recursive: true });
    writeFileSync(join(source, "deep/er/run"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
    writeFileSync(join(source, ".hidden"), Buffer.from([0, 255]), { mode: 0o640 });
    expect(await fill(source)).toEqual({ hash: "", message: "" });
    expect(execFileSync(join(target, "deep/er/run"), { encoding: "utf8" })).toBe("ran\n");
    expect(statSync(join(target, ".hidden")).mode & 0o777).toBe(0o640);
    expect(readFileSync(join(target, ".hidden"))).toEqual(Buffer.from([0, 255]));
  });

  test("with its links unchanged, broken ones included", async () => {
    writeFileSync(join(source, "file"), "x");
    symlinkSync("file", join(source, "near"));
    symlinkSync("/nowhere/at all", join(source, "dangling"));
    symlinkSync(".", join(source, "loop"));
    await fill(source);
    for (const [link, to] of [
      ["near", "file"],
      ["dangling", "/nowhere/at all"],
      ["loop", "."],
    ] as const) {
      expect(readlinkSync(join(target, link))).toBe(to);
    }
    writeFileSync(join(target, "near"), "written by the task");
    expect(readFileSync(join(source, "file"), "utf8")).toBe("x");
  });

  test("with its times, those of folders and links too", async () => {
    const [old, older] = [1_009_843_200.5, 978_307_200.25];
    mkdirSync(join(source, "folder"));
    writeFileSync(join(source, "folder/file"), "x");
    symlinkSync("file", join(source, "folder/link"));
    utimesSync(join(source, "folder/file"), old, old);
    lutimesSync(join(source, "folder/link"), old, older);
    utimesSync(join(source, "folder"), old, older);
    await fill(source);
    const timeOf = (path: string) => lstatSync(join(target, path)).mtimeMs / 1000;
    expect(["folder/file", "folder/link", "folder"].map(timeOf)).toEqual([old, older, older]);
  });

  test("whose file names are not UTF-8", async () => {
    const folder = Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0x64, 0xff])]);
    const file = Buffer.concat([folder, Buffer.from("/caf"), Buffer.from([0xe9])]);
    mkdirSync(folder);
    writeFileSync(file, "x");
    symlinkSync(file, Buffer.concat([folder, Buffer.from("/link")]));
    await fill(source);
    const list = (path: string) => execFileSync("sh", ["-c", 'cd "$1" && find . | sort | od -c', "-", path]);
    expect(list(target)).toEqual(list(source));
    expect(readFileSync(Buffer.concat([Buffer.from(target), file.subarray(source.length)]), "utf8")).toBe(
      "x",
    );
  });

  test("without sockets and pipes, which cannot be copied", async () => {
    execFileSync("mkfifo", [join(source, "pipe")]);
    writeFileSync(join(source, "file"), "x");
    await fill(source);
    expect(readdirSync(target)).toEqual(["file"]);
  });

  test("by file:// URL too, and with any characters in its path", async () => {
    const odd = join(root, "a b%20#?ü");
    mkdirSync(odd);
    writeFileSync(join(odd, "file"), "x");
    await fill(pathToFileURL(odd).href);
    expect(readdirSync(target)).toEqual(["file"]);
  });

  test("through a link to it", async () => {
    writeFileSync(join(source, "file"), "x");
    symlinkSync(source, join(root, "link"));
    await fill(join(root, "link"));
    expect(lstatSync(target).isDirectory()).toBe(true);
    expect(readFileSync(join(target, "file"), "utf8")).toBe("x");
  });

  test("with read-only folders, which stay read-only in the copy", async () => {
    mkdirSync(join(source, "locked"));
    writeFileSync(join(source, "locked/file"), "x");
    chmodSync(join(source, "locked"), 0o555);
    await fill(source);
    expect(statSync(join(target, "locked")).mode & 0o777).toBe(0o555);
    expect(readFileSync(join(target, "locked/file"), "utf8")).toBe("x");
    // Only root removes what is in a read-only folder.
    for (const folder of [source, target]) chmodSync(join(folder, "locked"), 0o755);
  });

  test("unless it belongs to the server, also by a link", async () => {
    mkdirSync(join(root, "closed/tasks"), { recursive: true });
    symlinkSync(join(root, "closed"), join(root, "link"));
    for (const path of ["closed", "closed/tasks", "link", "link/tasks"])
      await expect(fill(join(root, path))).rejects.toThrow("it belongs to the server");
  });

  test("unless it holds a file of the server, such as the key of its certificate", async () => {
    mkdirSync(join(root, "etc"));
    writeFileSync(join(root, "etc/server.key"), "secret");
    symlinkSync(join(root, "etc/server.key"), join(root, "closed"));
    await expect(fill(join(root, "etc"))).rejects.toThrow("it holds files of the server");
  });

  test("unless the target lies in it", async () => {
    for (const folder of [root, "/"])
      await expect(fill(folder)).rejects.toThrow(
        `Cannot copy ${folder}: the server's data folder lies in it`,
      );
  });

  test("until the signal aborts, which throws the signal's reason", async () => {
    const stop = new AbortController();
    stop.abort(new Error("stopped"));
    await expect(fill(source, {}, stop.signal)).rejects.toThrow("stopped");
  });
});

test("a git repository is cloned at its commit", async () => {
  using repo = makeRepository();
  const hash = repo.commit("a", "1", "First");
  repo.commit("a", "2");
  expect(await fill(repo.path, { commit: hash })).toEqual({ hash, message: "First" });
  expect(readFileSync(join(target, "a"), "utf8")).toBe("1");
});

describe("an unusable repository is explained, with what to do", () => {
  test("a folder that does not exist", async () => {
    expect(await refusal("/nowhere/x")).toBe(
      "Cannot read the repository's folder /nowhere/x: there is no such folder (ENOENT at /nowhere/x)",
    );
  });

  test("a file", async () => {
    writeFileSync(join(root, "file"), "");
    expect(await refusal(join(root, "file"))).toMatch(/^Cannot use .* as a repository: it is not a folder$/);
  });

  test.each(["source", "source/inner"])(
    "the folder %s that the server's user may not read",
    async (closed) => {
      mkdirSync(join(source, "inner"));
      for (const [path, mode] of [
        [root, 0o755],
        [target, 0o777],
        [join(root, closed), 0o000],
      ] as const)
        chmodSync(path, mode);
      const message = await asNobody(() => refusal(source));
      chmodSync(join(root, closed), 0o700); // so that it can be removed
      expect(message).toMatch(
        /^Cannot (read|copy) .*: the server's user may not read it \(EACCES at \/.*\)$/,
      );
    },
  );

  test("a branch or a commit of a folder that is not a git repository", async () => {
    expect(await refusal(source, { gitBranch: "main" })).toBe(
      `Cannot check out main: ${source} is not a git repository`,
    );
    expect(await refusal(source, { commit: "0123456" })).toMatch(/^Cannot check out 0123456: /);
  });
});

test.each([
  ["EACCES", "the server's user may not read it (EACCES at /x)"],
  ["ENOSPC", "the disk of the data folder is full; free some space and run the task again (ENOSPC at /x)"],
  ["EMFILE", "the server has too many open files; raise its limit (ulimit -n) (EMFILE at /x)"],
  ["EWHAT", "the message"],
])("%s is explained in words for users", (code, sentence) => {
  expect(reasonOf(Object.assign(new Error("the message"), { code, path: "/x" }))).toBe(sentence);
});
