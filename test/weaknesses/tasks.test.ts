import { writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LogStream } from "../../gen/signalman/v1/task_pb.ts";
import { KillOutcome, TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateType } from "../../gen/signalman/v1/template_pb.ts";
import { endOf, follow } from "../faults/follow.ts";
import { openProxy } from "../faults/proxy.ts";
import { aliveOf, leavesNothing } from "../faults/traces.ts";
import { testDatabase } from "../support/database.ts";
import { applyDemo, bytesOf, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";

/*
 * Weaknesses of the reference system (Semaphore UI), by their number in the list: each test shows that Signalman does not
 * have the weakness.
 */

let service: TestService;
beforeAll(async () => {
  service = await startService();
  await applyDemo(service, {
    tree: "setsid sleep 600 &\n(sleep 600 & sleep 600) &\necho ready\nwait\n",
    gate: 'until [ -e "$GO" ]; do sleep 0.05; done; exit $CODE\n',
    build: {
      script: 'until [ -e "$GO" ]; do sleep 0.05; done; exit $CODE\n',
      type: TemplateType.BUILD,
    },
    deploy: {
      script: "exit 0\n",
      type: TemplateType.DEPLOY,
      buildTemplate: "build",
      autorun: true,
    },
    quick: "exit 0\n",
    slow: { script: "sleep 600\n", runTimeout: { seconds: 1n } },
    arguments: {
      script: 'for a in "$@"; do printf "%s\\n" "$a"; done; echo "env [$QUOTED]"\n',
      variables: { list: [1, "a"], zeta: 1.5, alpha: true, none: null, text: "it's" },
      env: { QUOTED: 'it\'s $HOME "x"' },
    },
    alone: {
      script:
        'echo "$HOME" "$TMPDIR"; echo mine >"file-$MARK"; until [ -e "$GO" ]; do sleep 0.05; done; ls\n',
      allowParallelTasks: true,
    },
    tail: 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo "line $i"; done; echo "last" >&2; printf end\n',
    asking: {
      script: "exit 0\n",
      survey: [
        { name: "count", type: 2, required: true },
        { name: "stage", type: 3, values: [{ value: "dev" }, { value: "prod" }] },
      ],
    },
    numbered: {
      script: "exit 0\n",
      type: TemplateType.BUILD,
      startVersion: "v1.009",
      allowParallelTasks: true,
    },
    unnumbered: { script: "exit 0\n", type: TemplateType.BUILD },
  });
});
afterAll(() => service[Symbol.asyncDispose]());

const tasks = () => service.client(TaskService);
const go = (name: string) => `${service.dataDir}/go-${name}`;
const open = (name: string) => writeFile(go(name), "");
const stdout = async (name: string) =>
  bytesOf(await watchToEnd(service, name), LogStream.STDOUT).toString("utf8");

test("weakness 1: a kill ends all descendants, also those in other sessions", async () => {
  const task = await runDemo(service, "tree");
  using watcher = follow(service, task.name);
  await watcher.says("ready");
  expect(aliveOf(task).length).toBeGreaterThan(3);
  await tasks().killTask({ name: task.name });
  expect(endOf(await watcher.ended)).toMatchObject({ status: "STOPPED", reason: "STOPPED_BY_USER" });
  await leavesNothing(service, task);
});

test("weakness 3: a waiting task that was stopped by force never runs", async () => {
  const first = await runDemo(service, "gate", { env: { GO: go("3") } });
  const waiting = await runDemo(service, "gate", { env: { GO: go("3") } });
  const { outcome } = await tasks().killTask({ name: waiting.name, force: true });
  expect(outcome).toBe(KillOutcome.KILLED_BEFORE_START);
  await open("3");
  await watchToEnd(service, first.name);
  const third = await runDemo(service, "gate", { env: { GO: go("3") } });
  await watchToEnd(service, third.name);
  using watcher = follow(service, waiting.name);
  await watcher.ended;
  expect(watcher.statuses).toEqual(["WAITING", "STOPPED"]);
});

test("weakness 6: only a successful build starts its deploys", async () => {
  const deploys = async () =>
    (await tasks().listTasks({ parent: "projects/demo", filter: "template = deploy" })).tasks.length;
  const failed = await runDemo(service, "build", { env: { GO: go("6"), CODE: "1" } });
  await open("6");
  await watchToEnd(service, failed.name);
  const stopped = await runDemo(service, "build", { env: { GO: go("6-never") } });
  using watcher = follow(service, stopped.name);
  await watcher.reaches("RUNNING");
  await tasks().killTask({ name: stopped.name, force: true });
  await watcher.ended;
  expect(await deploys()).toBe(0);
  await watchToEnd(service, (await runDemo(service, "build", { env: { GO: go("6") } })).name);
  expect(await deploys()).toBe(1);
});

test("weakness 7: a task that has ended keeps its status", async () => {
  const task = await runDemo(service, "quick");
  const events = await watchToEnd(service, task.name);
  const kills = await Promise.all(
    [true, false].map((force) => tasks().killTask({ name: task.name, force, reason: "late" })),
  );
  expect(kills.map(({ outcome }) => outcome)).toEqual([KillOutcome.ALREADY_FINAL, KillOutcome.ALREADY_FINAL]);
  const again = await watchToEnd(service, task.name);
  expect(again.length).toBe(events.length);
  expect(again.at(-1)?.event).toEqual(events.at(-1)?.event);
});

test("weakness 9: a local task ends at its run_timeout", async () => {
  const task = await runDemo(service, "slow");
  using watcher = follow(service, task.name);
  expect(endOf(await watcher.ended)).toMatchObject({ status: "ERROR", reason: "RUN_TIMEOUT" });
  await leavesNothing(service, task);
});

test("weakness 10: no status waits for a poll: thirty tasks in a row take less than thirty polls of a second", async () => {
  const start = performance.now();
  for (let i = 0; i < 30; i++) await watchToEnd(service, (await runDemo(service, "quick")).name);
  expect(performance.now() - start).toBeLessThan(30_000);
});

test("weakness 13: variables become arguments in one order, whatever the order in the request", async () => {
  const given = (names: string[]) => ({ variables: Object.fromEntries(names.map((name) => [name, name])) });
  const forward = await stdout((await runDemo(service, "arguments", given(["b", "y", "c"]))).name);
  const backward = await stdout((await runDemo(service, "arguments", given(["c", "y", "b"]))).name);
  expect(forward).toBe(backward);
  const names = forward.split("\n").flatMap((line) => /^(\w+)=/.exec(line)?.[1] ?? []);
  expect(names).toEqual([...names].sort());
});

test("weakness 14: numbers, booleans and lists become arguments as JSON, and texts are not quoted", async () => {
  const { name } = await runDemo(service, "arguments", { variables: { count: 3, big: 1e21 } });
  expect((await stdout(name)).split("\n")).toEqual([
    "alpha=true",
    "big=1e+21",
    "count=3",
    'list=[1,"a"]',
    "none=null",
    "text=it's",
    "zeta=1.5",
    'env [it\'s $HOME "x"]',
    "",
  ]);
});

test("weaknesses 15 and 21: concurrent tasks share neither workspace nor HOME", async () => {
  const env = (MARK: string) => ({ env: { MARK, GO: go("15") } });
  const both = [await runDemo(service, "alone", env("a")), await runDemo(service, "alone", env("b"))];
  const watchers = both.map(({ name }) => follow(service, name));
  for (const watcher of watchers) await watcher.counts(2);
  await open("15");
  await Promise.all(watchers.map(({ ended }) => ended));
  const [a = "", b = ""] = watchers.map((watcher) => watcher.text());
  expect(a).toContain("file-a\n");
  expect(a).not.toContain("file-b");
  expect(b).not.toContain("file-a");
  const homes = [a, b].flatMap((text) => text.split("\n")[0]?.split(" ") ?? []);
  expect(new Set(homes).size).toBe(4);
  expect(homes).not.toContain(process.env.HOME);
  for (const watcher of watchers) watcher[Symbol.dispose]();
});

test("weakness 16: the last lines of the output are stored, and each stream keeps its order", async () => {
  const lines = Array.from({ length: 3000 }, (_, i) => `line ${i + 1}\n`).join("");
  for (let round = 0; round < 5; round++) {
    const events = await watchToEnd(service, (await runDemo(service, "tail")).name);
    expect(bytesOf(events, LogStream.STDOUT).toString()).toBe(`${lines}end`);
    expect(bytesOf(events, LogStream.STDERR).toString()).toBe("last\n");
  }
});

test("weakness 17: answers, branches and commits are validated, and users cannot set the service's own variables", async () => {
  const refused = async (request: Parameters<typeof runDemo>[2], template = "asking") =>
    runDemo(service, template, request).then(
      () => "taken",
      (error: Error) => error.message,
    );
  expect(await refused({})).toContain('variables["count"]: is required');
  expect(await refused({ variables: { count: "two" } })).toContain("must be a whole number, not two");
  expect(await refused({ variables: { count: 1, stage: "x" } })).toContain("must be one of dev, prod");
  expect(await refused({ gitBranch: "main" }, "quick")).toContain("does not allow");
  expect(await refused({ commit: "--help" }, "quick")).toContain("7 to 64 hexadecimal digits");
  const fields = new Set(TaskService.method.runTask.input.fields.map(({ name }) => name));
  for (const own of ["version", "commit_hash", "start_time", "end", "status"])
    expect(fields).not.toContain(own);
});

test("weakness 22: concurrent builds get different versions, and a template without start_version none", async () => {
  const made = await Promise.all(Array.from({ length: 8 }, () => runDemo(service, "numbered")));
  const versions = made.map(({ version }) => version).sort();
  expect(versions).toEqual(["v1.009", "v1.010", "v1.011", "v1.012", "v1.013", "v1.014", "v1.015", "v1.016"]);
  expect((await runDemo(service, "unnumbered")).version).toBe("");
  expect((await runDemo(service, "unnumbered")).version).toBe("");
});

test("weakness 8: a task outlives its server, and its template is free afterwards", async () => {
  const task = await runDemo(service, "gate", { env: { GO: go("8") } });
  using before = follow(service, task.name);
  await before.reaches("RUNNING");
  await service.kill("SIGKILL");
  await open("8");
  await service.start();
  using after = follow(service, task.name);
  expect(endOf(await after.ended)).toMatchObject({ status: "SUCCESS" });
  const next = await runDemo(service, "gate", { env: { GO: go("8") } });
  using watcher = follow(service, next.name);
  expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
});

test("weakness 25: lines that cannot be stored at first are stored later", async () => {
  const database = await testDatabase();
  await using proxy = await openProxy(database.url);
  await using cut = await startService({ databaseUrl: proxy.url });
  await applyDemo(cut, { count: "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i; sleep 0.005; done\n" });
  const task = await runDemo(cut, "count");
  using watcher = follow(cut, task.name);
  await watcher.counts(50);
  proxy.cut();
  await delay(500);
  proxy.heal();
  await watcher.ended;
  expect(watcher.text()).toBe(Array.from({ length: 400 }, (_, i) => `${i + 1}\n`).join(""));
  await cut[Symbol.asyncDispose]();
  await database.drop();
});
