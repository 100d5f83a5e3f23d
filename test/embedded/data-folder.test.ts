import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDataFolder } from "../../src/embedded/data-folder.ts";
import { DataFolderInUseError } from "../../src/embedded/errors.ts";
import { OBSTACLES } from "../support/obstacles.ts";
import { kill9, runFixture } from "./fixture.ts";
import { type GuardedFolder, guardedFolder } from "./guarded-folder.ts";

let temporary: GuardedFolder;
let path: string;

beforeEach(async () => {
  temporary = await guardedFolder();
  path = join(temporary.path, "deep/data");
});
afterEach(() => temporary[Symbol.asyncDispose]());

describe("A data folder", () => {
  test("is created for its owner only", async () => {
    await using folder = await openDataFolder(path);
    expect((await stat(folder.path)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder.path, "node.id"))).mode & 0o777).toBe(0o600);
  });

  test("keeps its node id", async () => {
    const first = await openDataFolder(path);
    await first[Symbol.asyncDispose]();
    await using second = await openDataFolder(path);
    expect(second.nodeId).toBe(first.nodeId);
    expect(second.nodeId).toMatch(/^[0-9a-f-]{36}$/);
    expect(await readdir(path)).toEqual(["lock", "node.id"]);
  });

  test.each(OBSTACLES)(
    "refuses $what in the place of its files, and does not wait for it",
    async ({ put, what }) => {
      await (await openDataFolder(path))[Symbol.asyncDispose]();
      const files = what.includes("terabyte") ? ["node.id"] : ["node.id", "lock"];
      for (const file of files) {
        await rm(join(path, file));
        put(join(path, file));
        await expect(openDataFolder(path)).rejects.toThrow(`Cannot use ${path}/${file}: it `);
      }
    },
  );

  test("refuses a node id that is not a UUID", async () => {
    await (await openDataFolder(path))[Symbol.asyncDispose]();
    await writeFile(join(path, "node.id"), "");
    await expect(openDataFolder(path)).rejects.toThrow('node.id: it holds "", not a UUID');
    await writeFile(join(path, "node.id"), "11111111-1111-4111-8111-111111111111\n");
    await using folder = await openDataFolder(path);
    expect(folder.nodeId).toBe("11111111-1111-4111-8111-111111111111");
  });

  test("is refused to a second process, with the folder and the pid of its holder", async () => {
    const holder = runFixture("hold-folder.ts", path);
    await holder.said;
    const error = await openDataFolder(path).catch((caught) => caught);
    expect(error).toBeInstanceOf(DataFolderInUseError);
    expect(error.message).toContain(path);
    expect(error.message).toContain(`process ${holder.child.pid}`);
    expect(error.pid).toBe(holder.child.pid);
    await kill9(holder);
  });

  test("is refused to the same process a second time", async () => {
    await using folder = await openDataFolder(path);
    await expect(openDataFolder(folder.path)).rejects.toMatchObject({
      name: "DataFolderInUseError",
      pid: process.pid,
    });
  });

  test("is released by kill -9 of its holder", async () => {
    const holder = runFixture<{ nodeId: string }>("hold-folder.ts", path);
    const { nodeId } = await holder.said;
    await kill9(holder);
    await using folder = await openDataFolder(path);
    expect(folder.nodeId).toBe(nodeId);
    expect((await readFile(join(path, "lock"), "utf8")).trim()).toBe(String(process.pid));
  });

  test("is not locked by programs that its holder has started", async () => {
    const folder = await openDataFolder(path);
    const program = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
    program.stdin.write("x");
    await once(program.stdout, "data");
    const open = await readdir(`/proc/${program.pid}/fd`);
    const targets = await Promise.all(open.map((fd) => readlink(`/proc/${program.pid}/fd/${fd}`)));
    expect(targets).not.toContain(join(folder.path, "lock"));

    await folder[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
    await using again = await openDataFolder(path);
    expect(again.nodeId).toBe(folder.nodeId);
    program.kill();
  });
});
