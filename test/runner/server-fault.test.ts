import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Executor } from "../../src/jobs/executors/executor.ts";
import { createLocalExecutor } from "../../src/jobs/executors/local/executor.ts";
import { BUILT_IN } from "../../src/jobs/families/all.ts";
import type { Job } from "../../src/jobs/job.ts";
import { createLauncher, type Launcher } from "../../src/process/launcher.ts";
import type { TaskDetails } from "../../src/runner/details.ts";
import { PrepareError } from "../../src/task/errors.ts";
import { makeMirrors } from "../git/make-git.ts";
import { NODE } from "../store/fixture.ts";
import { testIsolation } from "../support/isolation.ts";
import { openRig, type RunnerRig } from "./rig.ts";

/* Tests of runs in which the server, and not the task, is at fault. */

let rig: RunnerRig;
let root: string;
let launcher: Launcher;
beforeEach(async () => {
  rig = await openRig("local");
  root = mkdtempSync(join(tmpdir(), "signalman-fault-"));
  launcher = createLauncher();
  await rig.template("bash", { "run.sh": "echo ran" });
});
afterEach(async () => {
  launcher[Symbol.dispose]();
  await rig[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

/** Executor of this machine in which the test replaces some steps. */
function executor(change: (job: Job<TaskDetails>) => Partial<Job<TaskDetails>>): Executor<TaskDetails> {
  const local = createLocalExecutor({
    tasksRoot: join(root, "tasks"),
    node: NODE,
    apps: BUILT_IN,
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
  return {
    ...local,
    createJob(task, say) {
      const job = local.createJob(task, say);
      return { ...job, ...change(job) };
    },
  };
}

const full = async () => {
  throw new PrepareError("Cannot do that", { cause: Object.assign(new Error("full"), { code: "ENOSPC" }) });
};
const isFull = async () => "the disk is full";

test.each(["prepare", "start"] as const)(
  "a task whose server fails at %s goes back to the queue",
  async (step) => {
    const lease = await rig.store.makeTaskIn("STARTING");
    await rig.run(
      lease,
      executor(() => ({ [step]: full })),
      [],
      isFull,
    ).done;
    expect(await rig.store.row(lease.id)).toMatchObject({ status: "WAITING", node: null, startTime: null });
    const started = step === "start" ? ["RUNNING"] : [];
    expect(await rig.store.events(lease.id)).toEqual(["WAITING", ...started, "WAITING"]);
  },
);

test("a task that is itself at fault ends", async () => {
  const lease = await rig.store.makeTaskIn("STARTING");
  await rig.run(
    lease,
    executor(() => ({ prepare: full })),
  ).done;
  expect(await rig.store.row(lease.id)).toMatchObject({ status: "ERROR", endReason: "PREPARE_FAILED" });
});

test("a task that was killed meanwhile ends as STOPPED", async () => {
  const lease = await rig.store.makeTaskIn("STARTING");
  const asked = async () => {
    await rig.store.sql`UPDATE tasks SET status = 'STOPPING', kill_time = now() WHERE id = ${lease.id}`;
    return full();
  };
  await rig.run(
    lease,
    executor(() => ({ prepare: asked })),
    [],
    isFull,
  ).done;
  expect(await rig.store.row(lease.id)).toMatchObject({ status: "STOPPED", endReason: "STOPPED_BY_USER" });
});

test("a running task that cannot be taken over stays RUNNING for the next try", async () => {
  const lease = await rig.store.makeTaskIn("RUNNING");
  let isCleared = false;
  const cleanup = async () => {
    isCleared = true;
  };
  const change = () => ({ attach: full, cleanup });
  await expect(rig.run(lease, executor(change), [], isFull).done).rejects.toThrow("the disk is full");
  expect((await rig.store.row(lease.id)).status).toBe("RUNNING");
  expect(isCleared).toBe(false);
});
