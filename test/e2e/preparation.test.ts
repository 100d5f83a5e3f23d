import { mkdirSync, mkdtempSync, rmSync, statfsSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { LogStream } from "../../gen/signalman/v1/task_pb.ts";
import { endOf, type Follower, follow } from "../faults/follow.ts";
import { smallDisk } from "../faults/small-disk.ts";
import { leavesNothing } from "../faults/traces.ts";
import { runDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";

const MIB = 1024 * 1024;
const APPS = {
  ghost: { command: "no-such-interpreter" },
  absent: { command: "/no/such/folder/interpreter" },
  plain: { command: "/etc/passwd" },
};

let scratch: string;
let service: TestService;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "signalman-preparation-"));
  mkdirSync(join(scratch, "scripts/folder"), { recursive: true });
  mkdirSync(join(scratch, "huge"));
  writeFileSync(join(scratch, "file"), "");
  const scripts = {
    fine: "echo fine",
    flood: "head -c 64M /dev/zero",
    deaf: "trap '' PIPE; head -c 64M /dev/zero; exit 0",
  };
  for (const [name, text] of Object.entries(scripts)) writeFileSync(join(scratch, "scripts", name), text);
  symlinkSync("/etc/hostname", join(scratch, "scripts/escape"));
  symlinkSync("gone", join(scratch, "scripts/dangling"));
  symlinkSync("fine", join(scratch, "scripts/link"));
  writeFileSync(join(scratch, "huge/fine"), "echo fine");
  writeFileSync(join(scratch, "huge/data"), Buffer.alloc(8 * MIB, "x"));
  service = await startService({ env: { SIGNALMAN_APPS: JSON.stringify(APPS) } });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true, force: true });
});

interface Wanted {
  app?: string;
  path?: string;
  repository?: string;
}

/** Creates a template and runs it to its end. */
async function run(on: TestService, { app = "bash", path = "fine", repository = "scripts" }: Wanted) {
  const name = [app, path, repository].join("-");
  await on.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "demo" },
      repositories: [{ name: repository, url: join(scratch, repository) }],
      templates: [{ name, app, path, repository }],
    },
  });
  const watcher = follow(on, (await runDemo(on, name)).name);
  const task = await watcher.ended;
  await leavesNothing(on, task);
  return { watcher, end: endOf(task) };
}

/** Expects PREPARE_FAILED with a message that is also in the log. */
function expectFailed(
  { watcher, end }: { watcher: Follower; end: ReturnType<typeof endOf> },
  says: RegExp,
  statuses = ["WAITING", "STARTING", "ERROR"],
): void {
  expect(end).toMatchObject({ status: "ERROR", reason: "PREPARE_FAILED", exitCode: undefined, signal: "" });
  expect(end.message).toMatch(says);
  expect(watcher.text(LogStream.SYSTEM).split("\n")).toContain(end.message);
  expect(watcher.statuses).toEqual(statuses);
}

test.for<[string, Wanted, RegExp]>([
  ["a missing script", { path: "gone" }, /Cannot run gone: there is no such file in .*scripts/],
  ["a script that is a folder", { path: "folder" }, /it is a folder, not a file/],
  ["a link out of the repository", { path: "escape" }, /Cannot run escape: it leads out of .*scripts/],
  ["a link to nothing", { path: "dangling" }, /Cannot run dangling: there is no such file/],
  ["a missing repository", { repository: "none" }, /Cannot read .*\/none: there is no such folder/],
  [
    "a repository that is a file",
    { repository: "file" },
    /Cannot use .*\/file as a repository: it is not a folder/,
  ],
  [
    "a missing interpreter",
    { app: "ghost" },
    /no program no-such-interpreter on this server \(no folder of its PATH has it\); install it/,
  ],
  [
    "a missing interpreter by its path",
    { app: "absent" },
    /no program \/no\/such\/folder\/interpreter on this server/,
  ],
  ["an interpreter that is not a program", { app: "plain" }, /no program \/etc\/passwd on this server/],
  [
    "an app that this server does not know",
    { app: "elsewhere" },
    /Cannot run app elsewhere: .*SIGNALMAN_APPS/,
  ],
])("%s: the task ends as PREPARE_FAILED, and says what to do", async ([, wanted, says]) => {
  expectFailed(await run(service, wanted), says);
});

test("a script may be a link to another one in its repository", async () => {
  const { watcher, end } = await run(service, { path: "link" });
  expect(end.status).toBe("SUCCESS");
  expect(watcher.text()).toBe("fine\n");
});

test("a full disk fails the task with a message, and the next task runs when there is room", async (context) => {
  using disk = smallDisk(join(scratch, "disk"), 4);
  if (!disk) return context.skip("mounting a file system is not permitted");
  await using cramped = await startService({ dataDir: join(scratch, "disk") });

  expectFailed(
    await run(cramped, { repository: "huge" }),
    /disk of the data folder is full; free some space/,
    // Files of another task may fill the disk, so the task goes back to the queue three times.
    [...Array.from({ length: 4 }, () => ["WAITING", "STARTING"]).flat(), "ERROR"],
  );

  const [flood, deaf] = [await run(cramped, { path: "flood" }), await run(cramped, { path: "deaf" })];
  expect(flood.end).toMatchObject({ status: "ERROR", reason: "LOST", signal: "SIGPIPE" });
  expect(deaf.end).toMatchObject({ status: "ERROR", reason: "LOST", exitCode: 0 });
  expect(flood.end.message).toMatch(/disk of the data folder was full, .*; free some space/);
  expect(flood.watcher.text(LogStream.SYSTEM)).toContain(flood.end.message);

  const { bavail, bsize } = statfsSync(join(scratch, "disk"));
  expect(bavail * bsize).toBeGreaterThan(3 * MIB);
  expect((await run(cramped, {})).end.status).toBe("SUCCESS");
});
