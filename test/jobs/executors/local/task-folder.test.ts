import { execFileSync, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  makeTaskFolder,
  makeTasksRoot,
  removeTaskFolder,
  removeWorkspace,
  taskFolder,
} from "../../../../src/jobs/executors/local/task-folder.ts";

let place: string;
beforeEach(async () => {
  place = await realpath(await mkdtemp(join(tmpdir(), "signalman-tasks-")));
});
afterEach(() => rm(place, { recursive: true, force: true }));

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

test("the folder of all task folders has mode 0700, and may exist already", async () => {
  const root = join(place, "data", "tasks");
  expect(await makeTasksRoot(root)).toBe(root);
  const folder = taskFolder(root, "a");
  await makeTaskFolder(folder);
  await makeTasksRoot(root);
  for (const path of [root, folder.root, folder.work, folder.home, folder.tmp])
    expect(await modeOf(path)).toBe(0o700);
});

test("on ext4 task folders are spread over the disk", async (context) => {
  const probe = spawnSync("chattr", ["+T", place]);
  if (probe.status !== 0) return context.skip(`there is no ext4 under ${tmpdir()}, or no chattr`);
  const root = await makeTasksRoot(join(place, "tasks"));
  expect(execFileSync("lsattr", ["-d", root], { encoding: "utf8" }).split(" ")[0]).toContain("T");
});

test("a file system that a program mounted in its workspace is reported and left until it is unmounted", async (context) => {
  const folder = taskFolder(await makeTasksRoot(join(place, "tasks")), "a");
  await makeTaskFolder(folder);
  const [share, at] = [join(place, "share"), join(folder.work, "my data")];
  for (const path of [share, at]) await mkdir(path);
  await writeFile(join(share, "precious"), "kept");
  if (spawnSync("mount", ["--bind", share, at]).status !== 0) return context.skip("only root may mount");
  try {
    for (const remove of [removeWorkspace, removeTaskFolder, makeTaskFolder])
      await expect(remove(folder)).rejects.toThrow(`something is mounted at ${at}; unmount it`);
    expect(await readFile(join(share, "precious"), "utf8")).toBe("kept");
  } finally {
    execFileSync("umount", [at]);
  }
  await removeTaskFolder(folder);
  await expect(stat(folder.root)).rejects.toThrow("ENOENT");
  expect(await readFile(join(share, "precious"), "utf8")).toBe("kept");
});
