import { execFileSync, spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeTree } from "../../src/process/remove-tree.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "signalman-remove-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});
const left = () => readdir(folder);

test("a path that does not exist is no error, nor one below it", async () => {
  await removeTree(join(folder, "nothing"));
  await removeTree(join(folder, "nothing", "below"));
  expect(await left()).toEqual([]);
});

test("a small tree is removed, with its pipes and links but not their targets", async () => {
  const outside = join(folder, "outside");
  await mkdir(outside);
  await writeFile(join(outside, "kept"), "");
  const tree = join(folder, "tree");
  await mkdir(join(tree, "a", "b"), { recursive: true });
  await writeFile(join(tree, "a", "b", "file"), "x");
  await symlink(outside, join(tree, "a", "link"));
  execFileSync("mkfifo", [join(tree, "pipe")]);
  await removeTree(tree);
  expect(await left()).toEqual(["outside"]);
  expect(await readdir(outside)).toEqual(["kept"]);
});

test("a link in the place of the tree is removed, its target stays", async () => {
  await mkdir(join(folder, "outside"));
  await writeFile(join(folder, "outside", "kept"), "");
  await symlink(join(folder, "outside"), join(folder, "tree"));
  await removeTree(join(folder, "tree"));
  expect(await left()).toEqual(["outside"]);
  expect(await readdir(join(folder, "outside"))).toEqual(["kept"]);
});

test("trees of many files, of large files and deep trees are removed", async () => {
  const many = join(folder, "many");
  await mkdir(many);
  await Promise.all(Array.from({ length: 200 }, (_, n) => writeFile(join(many, `${n}`), "")));
  const large = join(folder, "large");
  await mkdir(large);
  await writeFile(join(large, "file"), Buffer.alloc(2 * 1024 * 1024));
  const deep = join(folder, "deep");
  await mkdir(join(deep, ...Array.from({ length: 100 }, () => "d")), { recursive: true });
  for (const path of [many, large, deep]) await removeTree(path);
  expect(await left()).toEqual([]);
});

/** Runs as another user than root, programs that are started meanwhile included, since root may remove everything. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  return work().finally(() => isRoot && process.seteuid?.(0));
}

test("read-only and unreadable folders are removed, also for users other than root", async () => {
  await chmod(folder, 0o777);
  await asNobody(async () => {
    const tree = join(folder, "mod");
    await mkdir(join(tree, "x@v1", "sub"), { recursive: true });
    await writeFile(join(tree, "x@v1", "sub", "file"), "");
    for (const path of ["x@v1/sub", "x@v1", ""]) await chmod(join(tree, path), 0o555);
    await removeTree(tree);
    await mkdir(join(folder, "closed", "inner"), { recursive: true });
    await chmod(join(folder, "closed", "inner"), 0);
    await chmod(join(folder, "closed"), 0);
    await removeTree(join(folder, "closed"));
  });
  expect(await left()).toEqual([]);
});

test("names that are not UTF-8 and trees deeper than the longest path are removed", async () => {
  const script = `
    mkdir tree && cd tree && d=$(printf 'x\\377') && mkdir "$d" && : >"$d/file"
    long=$(printf '%0200d' 1); for n in $(seq 50); do mkdir $long && cd $long; done; : >file`;
  execFileSync("bash", ["-c", script], { cwd: folder });
  await removeTree(join(folder, "tree"));
  expect(await left()).toEqual([]);
});

test("chmod follows no link out of the tree", async () => {
  const outside = join(folder, "outside");
  await mkdir(outside, { mode: 0o500 });
  await mkdir(join(folder, "tree"));
  await symlink(outside, join(folder, "tree", "link"));
  execFileSync("sh", ["-c", ": >\"$(printf 'x\\377')\""], { cwd: join(folder, "tree") });
  await removeTree(join(folder, "tree"));
  expect(await left()).toEqual(["outside"]);
  expect((await stat(outside)).mode & 0o777).toBe(0o500);
});

test("the error names paths that remain", async (context) => {
  const [tree, file] = [join(folder, "tree"), join(folder, "tree", "fixed")];
  await mkdir(tree);
  await writeFile(file, "");
  if (spawnSync("chattr", ["+i", file]).status !== 0)
    return context.skip("there is no chattr, or no right to it");
  try {
    await expect(removeTree(tree)).rejects.toThrow(`cannot remove '${file}'`);
  } finally {
    execFileSync("chattr", ["-i", file]);
  }
  await removeTree(tree);
});

test("a folder without permissions is removed as far as the system lets its owner", async () => {
  const closed = join(folder, "tree", "closed");
  await mkdir(closed, { recursive: true });
  await chmod(closed, 0o000);
  await removeTree(join(folder, "tree"));
  expect(await left()).toEqual([]);
});
