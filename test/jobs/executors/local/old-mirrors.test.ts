import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeOldMirrors } from "../../../../src/jobs/executors/local/old-mirrors.ts";
import { makeMirrors } from "../../../git/make-git.ts";

const DAY_MS = 24 * 3_600_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "signalman-old-mirrors-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Makes a mirror that was last used this many days ago. */
function mirror(name: string, days: number): void {
  const path = join(folder, "mirrors", name);
  mkdirSync(path, { recursive: true });
  const used = new Date(Date.now() - days * DAY_MS);
  utimesSync(path, used, used);
}

async function left(now?: number): Promise<string[]> {
  const mirrors = makeMirrors({ root: join(folder, "mirrors") });
  await removeOldMirrors({ mirrors, tasksRoot: join(folder, "tasks") }, now);
  return readdirSync(join(folder, "mirrors"));
}

test("mirrors that were not used for 30 days are removed", async () => {
  mirror("old", 31);
  mirror("fresh", 29);
  expect(await left()).toEqual(["fresh"]);
});

test("mirrors that were used since the oldest existing task began stay", async () => {
  mirror("used before", 1);
  mkdirSync(join(folder, "tasks/id"), { recursive: true });
  mirror("used then", 0);
  expect(await left(Date.now() + 100 * DAY_MS)).toEqual(["used then"]);
});
