import { closeSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { appendRegular, openRegular, readRegular, UnusableFileError } from "../../src/files/regular-file.ts";
import { replaceFile } from "../../src/files/replace-file.ts";
import { OBSTACLES } from "../support/obstacles.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "signalman-files-"));
  path = join(folder, "file");
});
afterEach(() => rmSync(folder, { recursive: true }));

const small = { maxBytes: 100 };

test("A file is read completely; for one that does not exist undefined is returned", () => {
  expect(readRegular(path, small)).toBeUndefined();
  expect(openRegular(path)).toBeUndefined();
  expect(appendRegular(path, "x")).toBe(false);
  writeFileSync(path, "text");
  expect(readRegular(path, small)?.toString()).toBe("text");
  expect(appendRegular(path, " and more")).toBe(true);
  expect(readFileSync(path, "utf8")).toBe("text and more");
});

test("An empty file is read as empty", () => {
  writeFileSync(path, "");
  expect(readRegular(path, small)).toEqual(Buffer.alloc(0));
});

test("A file of exactly the size limit is read, a larger one is refused", () => {
  writeFileSync(path, "x".repeat(100));
  expect(readRegular(path, small)).toHaveLength(100);
  appendRegular(path, "y");
  expect(() => readRegular(path, small)).toThrow(
    new UnusableFileError(path, "it has 101 bytes; at most 100 are read"),
  );
});

test("A link is followed on request, to regular files only", () => {
  writeFileSync(path, "text");
  const [link, endless] = [join(folder, "link"), join(folder, "endless")];
  symlinkSync("file", link);
  symlinkSync("/dev/zero", endless);
  expect(readRegular(link, { ...small, links: "followed" })?.toString()).toBe("text");
  expect(() => readRegular(endless, { ...small, links: "followed" })).toThrow(/not a regular file/);
});

describe.each(OBSTACLES)("$what", ({ what, put, said }) => {
  test("is refused at once, with its kind", () => {
    put(path);
    expect(() => readRegular(path, small)).toThrow(said);
    expect(() => openRegular(path, small)).toThrow(UnusableFileError);
  });

  test("is not appended to, unless it is a regular file", () => {
    put(path);
    if (what.includes("terabyte")) return expect(appendRegular(path, "x")).toBe(true);
    expect(() => appendRegular(path, "x")).toThrow(UnusableFileError);
  });

  test("is replaced by a file, or stays if it is a folder", () => {
    put(path);
    if (what === "a folder") return expect(() => replaceFile(path, "new")).toThrow(/directory/);
    put(`${path}.new`);
    replaceFile(path, "new");
    expect(readFileSync(path, "utf8")).toBe("new");
  });
});

test("A file that is opened without a size limit may have any size", () => {
  OBSTACLES.at(-1)?.put(path);
  const fd = openRegular(path);
  expect(fd).toBeTypeOf("number");
  closeSync(fd as number);
});
