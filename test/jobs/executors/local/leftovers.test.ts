import { execFileSync, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLeftovers } from "../../../../src/jobs/executors/local/leftovers.ts";

let tasksRoot: string;
beforeEach(() => {
  tasksRoot = mkdtempSync(join(tmpdir(), "signalman-leftovers-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(tasksRoot, { recursive: true });
});

test("a folder that cannot be removed is reported once, and retried with back-off", async (context) => {
  const id = randomUUID();
  const file = join(tasksRoot, id, "work/fixed");
  mkdirSync(join(tasksRoot, id, "work"), { recursive: true });
  writeFileSync(file, "");
  if (spawnSync("chattr", ["+i", file]).status !== 0)
    return context.skip("there is no chattr, or no right to it");
  const told: string[] = [];
  const onStuck = (folder: string, error: unknown) => void told.push(`${folder}: ${error}`);
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const leftovers = createLeftovers({ tasksRoot, node: "n", onStuck });
  try {
    for (const minutes of [1, 2, 4]) {
      expect(await leftovers.list()).toEqual([id]);
      await leftovers.clear([id]);
      now += minutes * 60_000 - 1;
      expect(await leftovers.list()).toEqual([]);
      now += 1;
    }
    expect(told).toEqual([expect.stringContaining(`cannot remove '${file}'`)]);
  } finally {
    execFileSync("chattr", ["-i", file]);
  }
  await leftovers.clear(await leftovers.list());
  expect(existsSync(join(tasksRoot, id))).toBe(false);
});
