import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { letPass, makeFolder, removeFile, writeNew } from "../../src/files/owned.ts";
import { readRegular } from "../../src/files/regular-file.ts";
import { removeTree } from "../../src/process/remove-tree.ts";
import { isRoot, NOBODY } from "../support/nobody.ts";

/* Root works in folders of a user who puts links there. */

const owner = { uid: NOBODY, gid: NOBODY };
const LINK = /a part of its path is a symbolic link|ELOOP|ENOTDIR/;

let root: string;
let outside: string;
/** A folder of the user, and a link of the user to a folder of root. */
let folder: string;
let trap: string;
beforeEach((context) => {
  if (!isRoot) context.skip("the tests do not run as root");
  root = mkdtempSync(join(tmpdir(), "signalman-owned-"));
  outside = join(root, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "kept"), "secret", { mode: 0o600 });
  folder = join(root, "folder");
  makeFolder(folder, owner);
  trap = join(folder, "trap");
  symlinkSync(outside, trap);
});
afterEach(() => root && rmSync(root, { recursive: true, force: true }));

test("folders and files belong to the owner alone", () => {
  makeFolder(join(folder, "in"), owner);
  writeNew(join(folder, "in", "file"), "text", owner);
  writeNew(join(folder, "in", "program"), "text", owner, 0o700);
  const found = [folder, ...["", "file", "program"].map((name) => join(folder, "in", name))].map((path) => {
    const { uid, gid, mode } = statSync(path);
    return [uid, gid, (mode & 0o777).toString(8)];
  });
  expect(found).toEqual(["700", "700", "600", "700"].map((mode) => [NOBODY, NOBODY, mode]));
  for (const again of [
    () => makeFolder(folder, owner),
    () => writeNew(join(folder, "in", "file"), "", owner),
  ])
    expect(again).toThrow("EEXIST");
});

test("nothing is made, written or removed through a link on the path, or at its end", async () => {
  symlinkSync(join(outside, "kept"), join(folder, "file"));
  expect(() => makeFolder(join(trap, "in"), owner)).toThrow(LINK);
  expect(() => writeNew(join(trap, "file"), "", owner)).toThrow(LINK);
  expect(() => writeNew(join(folder, "file"), "", owner)).toThrow("EEXIST");
  expect(() => removeFile(join(trap, "kept"))).toThrow(LINK);
  await expect(removeTree(join(trap, "kept"))).rejects.toThrow(LINK);
  expect(readdirSync(outside)).toEqual(["kept"]);
  removeFile(join(folder, "file"));
  await removeTree(folder);
  expect(existsSync(folder)).toBe(false);
  expect(readdirSync(outside)).toEqual(["kept"]);
  expect(statSync(join(outside, "kept")).uid).toBe(0);
});

test("a file of root is not read for the owner unless everyone may read it", () => {
  const path = join(trap, "kept");
  const read = () => String(readRegular(path, { maxBytes: 100, owner }));
  expect(read).toThrow("it belongs to another user than the task's");
  letPass(path);
  expect(read).toThrow("it belongs to another user");
  rmSync(path);
  writeFileSync(path, "open", { mode: 0o644 });
  expect(read()).toBe("open");
  rmSync(path);
  writeNew(path.replace(trap, outside), "own", owner);
  expect(read()).toBe("own");
});
