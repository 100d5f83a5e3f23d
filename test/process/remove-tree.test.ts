import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
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

test("what is not there is no error, nor below what is not there", async () => {
  await removeTree(join(folder, "nothing"));
  await removeTree(join(folder, "nothing", "below"));
  expect(await left()).toEqual([]);
});

test("a small tree goes, with its pipes and links, and nothing of what they lead to", async () => {
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

test("a link in the place of the tree goes alone", async () => {
  await mkdir(join(folder, "outside"));
  await writeFile(join(folder, "outside", "kept"), "");
  await symlink(join(folder, "outside"), join(folder, "tree"));
  await removeTree(join(folder, "tree"));
  expect(await left()).toEqual(["outside"]);
  expect(await readdir(join(folder, "outside"))).toEqual(["kept"]);
});

test("trees of many files, of large ones, and deep ones go too", async () => {
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

test("a folder that nobody may read or write goes as far as the system lets its owner", async () => {
  const closed = join(folder, "tree", "closed");
  await mkdir(closed, { recursive: true });
  await chmod(closed, 0o000);
  await removeTree(join(folder, "tree"));
  expect(await left()).toEqual([]);
});
