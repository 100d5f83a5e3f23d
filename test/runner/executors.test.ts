import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Executor } from "../../src/jobs/executors/executor.ts";
import { createLocalExecutor } from "../../src/jobs/executors/local/executor.ts";
import { BUILT_IN } from "../../src/jobs/families/all.ts";
import { decompress } from "../../src/logs/compress.ts";
import { sweepMarked } from "../../src/process/kill-by-marker.ts";
import { createLauncher, type Launcher } from "../../src/process/launcher.ts";
import type { TaskDetails } from "../../src/runner/details.ts";
import { requestKill } from "../../src/store/tasks/kills.ts";
import { resume } from "../../src/store/tasks/parked.ts";
import { confirmPlan, readPlanText } from "../../src/store/tasks/plans.ts";
import { adopt, inherit } from "../../src/store/tasks/take-over.ts";
import type { Lease } from "../../src/store/tasks/transitions.ts";
import { makeMirrors } from "../git/make-git.ts";
import { NODE, OTHER_NODE } from "../store/fixture.ts";
import { testIsolation } from "../support/isolation.ts";
import { ask, createSocketExecutor } from "../support/socket-executor.ts";
import { openRig, type RunnerRig, type TestRun } from "./rig.ts";

/*
 * Runs the same tests over two executors: one starts programs on this machine, one in another process behind a socket.
 */

/** An executor that a test can restart and destroy. */
interface Bench extends AsyncDisposable {
  /** Returns the executor as a server has it that was just started. */
  executor(): Executor<TaskDetails>;
  /** Removes all programs and all records of them, as a crash of the machine does. */
  crash(rig: RunnerRig, id: string): Promise<void>;
}

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

async function localBench(): Promise<Bench> {
  const root = mkdtempSync(join(tmpdir(), "signalman-local-"));
  const launchers: Launcher[] = [];
  return {
    executor() {
      const launcher = createLauncher();
      launchers.push(launcher);
      return createLocalExecutor({
        tasksRoot: join(root, "tasks"),
        node: NODE,
        apps: { ...BUILT_IN, terraform: { command: fixture("fake-terraform.sh"), args: [] } },
        launcher,
        forwarded: {},
        sharedBy: () => ({
          mirrors: makeMirrors({ root: join(root, "mirrors"), retryMs: [] }),
          galaxyCache: join(root, "galaxy"),
          isolation: testIsolation(),
          ssh: { hostKeys: "strict", knownHosts: join(root, "known_hosts") },
        }),
        closed: [],
        isolationExempt: [],
        onStuck() {},
      });
    },
    async crash({ store }, id) {
      await sweepMarked(`${id}.${NODE}`);
      rmSync(join(root, "tasks", id, "spool"), { recursive: true });
      await store.sql`UPDATE tasks SET boot_id = 'of another boot' WHERE id = ${id}`;
    },
    async [Symbol.asyncDispose]() {
      for (const launcher of launchers) launcher[Symbol.dispose]();
      rmSync(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function socketBench(): Promise<Bench & { held(id: string): Promise<number> }> {
  const root = mkdtempSync(join(tmpdir(), "signalman-socket-"));
  const path = join(root, "host");
  let host = await startHost();

  async function startHost(): Promise<ChildProcess> {
    const child = spawn(process.execPath, [fixture("program-host.ts"), path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout as NodeJS.ReadableStream, "data");
    return child;
  }

  async function endHost(): Promise<void> {
    host.kill("SIGKILL");
    await once(host, "exit");
    rmSync(path, { force: true });
  }

  return {
    executor: () => createSocketExecutor(path),
    /** Returns the bytes of a task's output that are still stored. */
    held: async (id) => (await ask(path, { op: "find", id })).held ?? 0,
    async crash(_, id) {
      const { pid } = await ask(path, { op: "find", id });
      if (pid) process.kill(-pid, "SIGKILL");
      await endHost();
      host = await startHost();
    },
    async [Symbol.asyncDispose]() {
      await endHost();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

const BENCHES = { local: localBench, socket: socketBench };

/** Script that prints lines 1 to `from`, waits for the file, and prints the lines up to `to`; some also on stderr. */
const counting = (go: string, from: number, to: number) => `
for i in $(seq ${from}); do echo $i; done; echo half >&2
until [ -e ${go} ]; do sleep 0.01; done
for i in $(seq ${from + 1} ${to}); do echo $i; done; echo whole >&2
`;
const numbers = (to: number) => Array.from({ length: to }, (_, at) => `${at + 1}\n`).join("");

describe.each(["local", "socket"] as const)("over the executor %s", (name) => {
  let rig: RunnerRig;
  let bench: Bench;
  beforeEach(async () => {
    [rig, bench] = await Promise.all([openRig(name), BENCHES[name]()]);
  });
  afterEach(async () => {
    await bench[Symbol.asyncDispose]();
    await rig[Symbol.asyncDispose]();
  });

  const claimed = (columns = {}) => rig.store.makeTaskIn("STARTING", { executor: name, ...columns });
  /** Stops a run as the pool does after a kill request. */
  async function kill(run: TestRun, { id }: Lease, graceMs: number): Promise<void> {
    const request = { force: graceMs === 0, graceMs: () => graceMs, reason: "", by: "" };
    await requestKill(rig.databases.control, { project: "p", id }, request);
    run.control.stop("user", graceMs);
    await run.done;
    expect(await rig.store.row(id)).toMatchObject({ status: "STOPPED" });
  }

  /** Starts the next server of the same node. */
  async function taken(): Promise<Lease> {
    const { adopted } = await adopt(rig.databases.control, NODE, [name]);
    expect(adopted).toHaveLength(1);
    return adopted[0] as Lease;
  }

  test("all output is stored, and the exit of the program is that of the task", async () => {
    await rig.template("bash", { "run.sh": "seq 5000; echo oops >&2; exit 3" });
    const lease = await claimed();
    let lastErrors = "";
    const hook = {
      name: "look",
      appliesTo: () => true,
      async after(context: { lastErrors(): Promise<Buffer> }) {
        lastErrors = String(await context.lastErrors());
      },
    };
    await rig.run(lease, bench.executor(), [hook]).done;
    expect(await rig.store.row(lease.id)).toMatchObject({ endReason: "EXIT_CODE", exitCode: 3 });
    expect(await rig.text(lease.id, "stdout")).toBe(numbers(5000));
    expect(await rig.text(lease.id, "stderr")).toBe("oops\n");
    expect(lastErrors).toBe("oops\n");
  });

  test("a shutdown leaves the program running, and the next server goes on at the committed offset", async () => {
    await rig.template("bash", { "run.sh": counting(rig.go, 3000, 6000) });
    let lease = await claimed();
    const first = rig.run(lease, bench.executor());
    await first.lines(3001);
    await first.leave();
    // A second restart without new output in between.
    lease = await taken();
    const second = rig.run(lease, bench.executor());
    await second.leave();
    writeFileSync(rig.go, "");
    lease = await taken();
    await rig.run(lease, bench.executor()).done;
    expect((await rig.store.row(lease.id)).status).toBe("SUCCESS");
    expect(await rig.text(lease.id, "stdout")).toBe(numbers(6000));
    expect(await rig.text(lease.id, "stderr")).toBe("half\nwhole\n");
  });

  test("the exit of a program that ended while no server ran is read by the next one", async () => {
    const ended = join(rig.source, "ended");
    await rig.template("bash", { "run.sh": `${counting(rig.go, 10, 20)}touch ${ended}; exit 7` });
    const first = rig.run(await claimed(), bench.executor());
    await first.lines(11);
    await first.leave();
    writeFileSync(rig.go, "");
    while (!existsSync(ended)) await new Promise((resolve) => setTimeout(resolve, 5));
    const lease = await taken();
    await rig.run(lease, bench.executor()).done;
    expect(await rig.store.row(lease.id)).toMatchObject({ endReason: "EXIT_CODE", exitCode: 7 });
    expect(await rig.text(lease.id, "stdout")).toBe(numbers(20));
  });

  test("a program without any record is LOST and is not started again", async () => {
    const runs = join(rig.source, "..", "runs");
    await rig.template("bash", { "run.sh": `echo run >>${runs}; echo up; sleep 600` });
    const first = rig.run(await claimed(), bench.executor());
    await first.lines(1);
    await first.leave();
    const { id } = await taken();
    await bench.crash(rig, id);
    const lease = await taken();
    await rig.run(lease, bench.executor()).done;
    expect(await rig.store.row(id)).toMatchObject({ status: "ERROR", endReason: "LOST" });
    expect(readFileSync(runs, "utf8")).toBe("run\n");
  });

  test("a program that was about to be started is started once by the next server", async () => {
    const runs = join(rig.source, "..", "runs");
    await rig.template("bash", { "run.sh": `echo run >>${runs}` });
    // The server died between RUNNING and the start.
    const executor = bench.executor();
    const reached = Promise.withResolvers<void>();
    const start = () => {
      reached.resolve();
      return new Promise<never>(() => {});
    };
    const createJob: typeof executor.createJob = (task, say) =>
      Object.assign(Object.create(executor.createJob(task, say)), { start });
    void rig.run(await claimed(), { ...executor, createJob });
    await reached.promise;
    const lease = await taken();
    await rig.run(lease, bench.executor()).done;
    expect((await rig.store.row(lease.id)).status).toBe("SUCCESS");
    expect(readFileSync(runs, "utf8")).toBe("run\n");
  });

  test("a kill lets the program clean up; a kill without a grace period does not", async () => {
    await rig.template("bash", {
      "run.sh": `trap 'echo bye; exit 0' TERM; echo up; until false; do sleep 0.01; done`,
    });
    const polite = await claimed();
    const run = rig.run(polite, bench.executor());
    await run.lines(1);
    await kill(run, polite, 60_000);
    expect(await rig.text(polite.id, "stdout")).toBe("up\nbye\n");
    const forced = await claimed();
    const other = rig.run(forced, bench.executor());
    await other.lines(1);
    await kill(other, forced, 0);
    expect(await rig.text(forced.id, "stdout")).toBe("up\n");
  });

  test("a program that prints nothing for its idle limit is ended", async () => {
    await rig.template("bash", { "run.sh": "echo up; sleep 600" });
    const lease = await claimed();
    await rig.store.sql`UPDATE tasks SET spec = spec || '{"idleTimeoutMs": 300}' WHERE id = ${lease.id}`;
    await rig.run(lease, bench.executor()).done;
    expect(await rig.store.row(lease.id)).toMatchObject({ status: "ERROR", endReason: "IDLE_TIMEOUT" });
  });

  test("a parked plan has no run, and the second program applies exactly that plan", async () => {
    await rig.template("terraform", {
      "main.tf": "",
      "plan.sh": "echo one to add",
      "apply.sh": "echo applied",
    });
    const lease = await claimed({ app: "terraform" });
    await rig.run(lease, bench.executor()).done;
    const waiting = await rig.store.row(lease.id);
    expect(waiting).toMatchObject({ status: "WAITING_CONFIRMATION", plan: { add: 1 } });
    const text = await readPlanText(rig.databases.reads, lease.id);
    expect(String(decompress(text as Buffer))).toBe("one to add\n");
    await confirmPlan(rig.databases.control, { project: "p", id: lease.id }, waiting.plan?.digest ?? "", "");
    const [confirmed] = await resume(rig.databases.control, NODE, 1, []);
    await rig.run(confirmed as Lease, bench.executor()).done;
    expect((await rig.store.row(lease.id)).status).toBe("SUCCESS");
    expect(await rig.text(lease.id, "stdout")).toBe("one to add\napplied\n");
  });

  test("after a lost lease a shared program goes on under the other node, and a local one is ended", async () => {
    await rig.template("bash", { "run.sh": counting(rig.go, 100, 200) });
    const lease = await claimed();
    const executor = bench.executor();
    const first = rig.run(lease, executor);
    await first.lines(101);
    await rig.store.sql`UPDATE tasks SET lease_expires = now() - interval '1 hour'`;
    const shared = executor.takenOverBy === "any" ? [name] : [];
    const inherited = await inherit(rig.databases.control, OTHER_NODE, shared);
    if (shared.length === 0) {
      expect(inherited).toEqual([]);
      first.control.stop("lease_lost", 0);
      await first.done;
      expect(await executor.leftovers.list()).toEqual([]);
      expect((await rig.store.row(lease.id)).status).toBe("RUNNING");
      return;
    }
    const second = rig.run(inherited[0] as Lease, bench.executor());
    first.control.stop("lease_lost", 0);
    await first.done;
    writeFileSync(rig.go, "");
    await second.done;
    expect(await rig.store.row(lease.id)).toMatchObject({ status: "SUCCESS", node: OTHER_NODE });
    expect(await rig.text(lease.id, "stdout")).toBe(numbers(200));
  });
});

test("an executor may free output that has been committed", async () => {
  await using bench = await socketBench();
  await using rig = await openRig("socket");
  await rig.template("bash", { "run.sh": counting(rig.go, 100_000, 100_001) });
  const lease = await rig.store.makeTaskIn("STARTING", { executor: "socket" });
  const run = rig.run(lease, bench.executor());
  await run.lines(100_001);
  const all = numbers(100_000).length;
  while ((await bench.held(lease.id)) > all / 2) await new Promise((resolve) => setImmediate(resolve));
  writeFileSync(rig.go, "");
  await run.done;
  expect(await rig.text(lease.id, "stdout")).toBe(numbers(100_001));
});
