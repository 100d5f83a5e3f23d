import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { probeMachine } from "../../../../src/jobs/executors/local/probe.ts";
import { createLauncher, type Launcher } from "../../../../src/process/launcher.ts";
import { fill, smallDisk } from "../../../faults/small-disk.ts";

let scratch: string;
let launcher: Launcher;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "signalman-probe-"));
  launcher = createLauncher();
});
afterAll(() => {
  launcher[Symbol.dispose]();
  rmSync(scratch, { recursive: true, force: true });
});

test("a machine that can run tasks passes the probe, which leaves no files", async () => {
  expect(await probeMachine({ tasksRoot: scratch, launcher })).toBeUndefined();
  expect(readdirSync(scratch)).toEqual([]);
});

test("a full disk and a read-only one fail the probe, a disk with space passes", async (context) => {
  const folder = join(scratch, "disk");
  const disk = smallDisk(folder, 4);
  if (!disk) return context.skip("mounting a file system is not permitted");
  using _ = disk;
  const probe = () => probeMachine({ tasksRoot: folder, launcher });
  fill(folder);
  expect(await probe()).toMatch(/^ENOSPC/);
  rmSync(join(folder, "filler"));
  expect(await probe()).toBeUndefined();
  execFileSync("mount", ["-o", "remount,ro", folder]);
  expect(await probe()).toMatch(/^EROFS/);
});

test("a machine that cannot start processes fails the probe", async () => {
  const lacking: Launcher = {
    start: async () => {
      throw Object.assign(new Error("spawn /bin/sh EAGAIN"), { code: "EAGAIN" });
    },
    [Symbol.dispose]() {},
  };
  expect(await probeMachine({ tasksRoot: scratch, launcher: lacking })).toMatch(/EAGAIN/);
  writeFileSync(join(scratch, "cannot-fork"), "exit 2");
  const halfway: Launcher = {
    ...launcher,
    start: (c) => launcher.start({ ...c, args: [join(scratch, "cannot-fork")] }),
  };
  expect(await probeMachine({ tasksRoot: scratch, launcher: halfway })).toBe(
    "a shell cannot start six processes",
  );
});
