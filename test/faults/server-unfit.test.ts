import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "../../gen/health/v1/health_pb.ts";
import { RepositoryService } from "../../gen/signalman/v1/repository_pb.ts";
import { type TestDatabase, testDatabase } from "../support/database.ts";
import { applyDemo, runDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { endOf, follow } from "./follow.ts";
import { fill, smallDisk } from "./small-disk.ts";
import { until } from "./traces.ts";

/* One server that cannot start tasks beside two that can: the two do all the work, and the first comes back by itself. */

const TASKS = 40;
const RUNNER = "signalman.runner";

let scratch: string;
let database: TestDatabase;
let disk: Disposable | undefined;
let unfit: TestService;
let healthy: [TestService, TestService];
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "signalman-unfit-"));
  database = await testDatabase();
  disk = smallDisk(join(scratch, "disk"), 8);
  const start = (dataDir?: string) =>
    startService({ databaseUrl: database.url, readable: true, ...(dataDir && { dataDir }) });
  const [a, b, c] = await Promise.all([start(join(scratch, "disk")), start(), start()]);
  unfit = a;
  healthy = [b, c];
  await applyDemo(b, { work: { script: "echo done; sleep 0.1", allowParallelTasks: true } });
}, 120_000);
afterAll(async () => {
  for (const service of [unfit, ...(healthy ?? [])]) await service?.[Symbol.asyncDispose]();
  await database?.drop();
  disk?.[Symbol.dispose]();
  await rm(scratch, { recursive: true, force: true });
});

interface Trouble {
  /** Returns the reason why the trouble cannot be made here; undefined: it can. */
  skip?(): string | undefined;
  begin(): void;
  end(): void;
}

const noDisk = () => (disk ? undefined : "mounting a file system is not permitted");
/** Mounts the folder of the tasks read-only. Not the whole data folder, whose lock is open for writing. */
const mountReadOnly = () => {
  const folder = join(unfit.dataDir, "tasks");
  execFileSync("mount", ["--bind", folder, folder]);
  execFileSync("mount", ["-o", "remount,bind,ro", folder]);
};
const pidOf = () => String(unfit.process.pid);
const limitFiles = (most: number) => execFileSync("prlimit", ["--pid", pidOf(), `--nofile=${most}:`]);
const openFiles = () => Number(execFileSync("sh", ["-c", `ls /proc/${pidOf()}/fd | wc -l`]).toString());

const CGROUP = `/sys/fs/cgroup/pids/signalman-test-${process.pid}`;
const CGROUPS = "/sys/fs/cgroup/pids/cgroup.procs";

/** Limits the server and its children to the number of processes and threads that they have now. */
function limitProcesses(): void {
  mkdirSync(CGROUP);
  const children = readFileSync(`/proc/${pidOf()}/task/${pidOf()}/children`, "utf8").trim().split(" ");
  for (const pid of [pidOf(), ...children]) writeFileSync(join(CGROUP, "cgroup.procs"), pid);
  const current = Number(readFileSync(join(CGROUP, "pids.current"), "utf8"));
  writeFileSync(join(CGROUP, "pids.max"), String(current));
}

function freeProcesses(): void {
  for (const pid of readFileSync(join(CGROUP, "cgroup.procs"), "utf8").trim().split("\n"))
    writeFileSync(CGROUPS, pid);
  rmdirSync(CGROUP);
}

function canLimitProcesses(): string | undefined {
  if (!existsSync(CGROUPS)) return "there is no cgroup of pids";
  try {
    mkdirSync(CGROUP);
    rmdirSync(CGROUP);
    return undefined;
  } catch {
    return "making a cgroup is not permitted";
  }
}

const TROUBLE: Record<string, Trouble> = {
  "a full data folder": {
    skip: noDisk,
    begin: () => fill(unfit.dataDir),
    end: () => rmSync(join(unfit.dataDir, "filler")),
  },
  "a read-only data folder": {
    skip: noDisk,
    begin: mountReadOnly,
    end: () => execFileSync("umount", ["--lazy", join(unfit.dataDir, "tasks")]),
  },
  "no descriptors": { begin: () => limitFiles(openFiles()), end: () => limitFiles(1024) },
  "no processes": { skip: canLimitProcesses, begin: limitProcesses, end: freeProcesses },
};

/** Yields the health of a part, over a connection that is open before the trouble begins. */
async function* statesOf(service: TestService, part: string, signal: AbortSignal) {
  for await (const { status } of service.client(Health).watch({ service: part }, { signal })) yield status;
}

const count = (text: string) => unfit.log().split(text).length - 1;

test.for(Object.entries(TROUBLE))(
  "%s: two healthy servers do all the work",
  {
    timeout: 300_000,
  },
  async ([, trouble], context) => {
    const why = trouble.skip?.();
    if (why) return context.skip(why);
    const over = new AbortController();
    const [whole, part] = ["", RUNNER].map((name) => statesOf(unfit, name, over.signal));
    expect((await whole?.next())?.value).toBe(Serving.SERVING);
    expect((await part?.next())?.value).toBe(Serving.SERVING);
    const before = [count("cannot start tasks"), count("can start tasks again")] as const;

    trouble.begin();
    let tasks: Awaited<ReturnType<typeof runDemo>>[];
    try {
      tasks = await Promise.all(Array.from({ length: TASKS }, () => runDemo(healthy[0], "work")));
      const ends = await Promise.all(tasks.map((task) => follow(healthy[1], task.name).ended));
      expect(ends.map((end) => endOf(end)).filter(({ status }) => status !== "SUCCESS")).toEqual([]);
      expect((await part?.next())?.value).toBe(Serving.NOT_SERVING);
      expect(count("cannot start tasks")).toBe(before[0] + 1);
    } finally {
      trouble.end();
    }
    expect((await part?.next())?.value).toBe(Serving.SERVING);
    expect(count("can start tasks again")).toBe(before[1] + 1);
    over.abort();
  },
);

test("a server that starts on a full data folder claims nothing until there is room", {
  timeout: 300_000,
}, async (context) => {
  const why = noDisk();
  if (why) return context.skip(why);
  await unfit.kill("SIGTERM");
  fill(unfit.dataDir);
  await unfit.start();
  await until(() => count("cannot start tasks") === 1);
  const client = unfit.client(Health);
  expect((await client.check({})).status).toBe(Serving.SERVING);
  expect((await client.check({ service: RUNNER })).status).toBe(Serving.NOT_SERVING);
  for (const service of healthy) await service.kill("SIGTERM");
  const task = await runDemo(unfit, "work");
  rmSync(join(unfit.dataDir, "filler"));
  expect(endOf(await follow(unfit, task.name).ended).status).toBe("SUCCESS");
});

test("a task that is larger than the disk of every server fails with a reason", {
  timeout: 300_000,
}, async (context) => {
  const reason = noDisk();
  if (reason) return context.skip(reason);
  const large = join(scratch, "large");
  mkdirSync(large);
  writeFileSync(join(large, "huge"), Buffer.alloc(12 * 1024 * 1024));
  writeFileSync(join(large, "work"), "echo done");
  await unfit.client(RepositoryService).updateRepository({
    repository: { name: "projects/demo/repositories/scripts", url: large },
  });
  const task = await runDemo(unfit, "work");
  const watcher = follow(unfit, task.name);
  const end = endOf(await watcher.ended);
  expect(end).toMatchObject({ status: "ERROR", reason: "PREPARE_FAILED" });
  expect(end.message).toMatch(/ENOSPC/);
  expect(watcher.statuses.filter((status) => status === "WAITING")).toHaveLength(4);
});
