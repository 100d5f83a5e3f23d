import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aliveOf, until } from "../../faults/traces.ts";
import { runDemo } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { watch } from "../../watch/events.ts";
import {
  AFTER_TASK,
  applyHooked,
  BEFORE_TASK,
  ended,
  type HookInit,
  http,
  kill,
  ON_FAILURE,
  ON_SUCCESS,
  program,
  runToEnd,
} from "./hooked.ts";
import { type Receiver, startReceiver } from "./receiver.ts";

const second = { seconds: 1n };
/** Script that ignores SIGTERM and leaves a child process. */
const HANGS = "trap '' TERM; sleep 1000 & echo hangs; while :; do sleep 1000; done";

let service: TestService;
let receiver: Receiver;
let host: string;
/** Address on which no server listens. */
const nobody = "127.0.0.1:2";
beforeAll(async () => {
  [service, receiver] = await Promise.all([startService(), startReceiver()]);
  host = new URL(receiver.url).host;
  const required = true;
  const call = (name: string, more: object = {}): HookInit => ({
    name,
    event: ON_SUCCESS,
    ...http({ url: `${receiver.url}/${name}`, ...more }),
  });
  const run = (event: HookInit["event"], script: string, more: Partial<HookInit> = {}): HookInit => ({
    name: "prog",
    event,
    ...program(script),
    ...more,
  });
  const hooked = (hooks: HookInit[], script = "true") => ({ script, hooks, allowParallelTasks: true });
  await applyHooked(service, {
    again: hooked([call("again", { retries: 3 })]),
    enough: hooked([call("enough", { retries: 2, logResponse: true })]),
    redirect: hooked([call("redirect")]),
    refused: hooked([{ name: "refused", event: ON_SUCCESS, ...http({ url: `http://${nobody}/x` }) }]),
    self: hooked([{ name: "self", event: ON_SUCCESS, ...http({ url: `${service.url}/healthz` }) }]),
    metadata: hooked([
      { name: "metadata", event: ON_SUCCESS, ...http({ url: "http://169.254.169.254/latest" }), required },
    ]),
    silent: hooked([{ ...call("silent", { retries: 10 }), timeout: second }]),
    "before-fails": hooked([
      run(BEFORE_TASK, "echo no; exit 4"),
      run(AFTER_TASK, "exit 0", { name: "then" }),
    ]),
    "before-required": hooked([
      run(BEFORE_TASK, "exit 4", { required }),
      run(ON_FAILURE, 'echo "$SIGNALMAN_REASON"', { name: "then" }),
    ]),
    "after-fails": hooked([run(AFTER_TASK, "exit 4")]),
    "after-required": hooked([
      run(ON_FAILURE, 'echo "$SIGNALMAN_REASON"', { name: "outer" }),
      run(ON_SUCCESS, "exit 4", { required }),
    ]),
    "both-fail": hooked([run(AFTER_TASK, "exit 4", { required })], "exit 3"),
    dies: hooked([run(AFTER_TASK, "kill -KILL $$")]),
    "no-app": hooked([{ ...run(AFTER_TASK, "x"), ...program("x", "cobol") }]),
    "hangs-before": hooked([run(BEFORE_TASK, HANGS, { timeout: { seconds: 600n } })]),
    "hangs-after": hooked([
      run(AFTER_TASK, 'echo "$SIGNALMAN_STATUS"', { name: "outer" }),
      run(ON_SUCCESS, HANGS, { timeout: { seconds: 600n } }),
    ]),
    "late-before": hooked([run(BEFORE_TASK, HANGS, { timeout: second, required })]),
    "late-after": hooked([run(ON_SUCCESS, HANGS, { timeout: second })]),
    floods: hooked([run(AFTER_TASK, "yes 0123456789 | head -c 2000000")]),
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

describe("an HTTP call", () => {
  test("is repeated until it succeeds", async () => {
    receiver.answer("/again", { status: 500 }, { status: 404 }, { status: 201 });
    const { status, said } = await runToEnd(service, "again");
    expect(status).toBe("SUCCESS");
    expect(said.some((line) => line.startsWith(`Hook again: ${host} answered 201 in `))).toBe(true);
    expect(await receiver.calls("/again", 3)).toHaveLength(3);
  });

  test("is made as often as its number of tries allows, and then reported with the beginning of the response", async () => {
    receiver.answer("/enough", { status: 503, body: `too\n busy ${"x".repeat(10_000)}` });
    const { status, said } = await runToEnd(service, "enough");
    expect(status).toBe("SUCCESS");
    const [line = ""] = said.filter((text) => text.startsWith("Hook enough failed"));
    expect(line).toMatch(
      /^Hook enough failed: 127.0.0.1:\d+ answered 503 in \d+ ms: too busy x+…, after 3 tries$/,
    );
    expect(line.length).toBeLessThan(1100);
    expect(await receiver.calls("/enough", 3)).toHaveLength(3);
  });

  test("follows no redirect", async () => {
    receiver.answer("/redirect", { status: 302, location: `${receiver.url}/elsewhere` });
    const { said } = await runToEnd(service, "redirect");
    expect(said.some((line) => line.startsWith(`Hook redirect failed: ${host} answered 302 in `))).toBe(true);
    expect(receiver.received.some(({ path }) => path === "/elsewhere")).toBe(false);
  });

  test("to an address without a server is reported with the reason", async () => {
    expect((await runToEnd(service, "refused")).said).toContain(
      `Hook refused failed: ${nobody} did not answer: connect ECONNREFUSED ${nobody}`,
    );
  });

  test("to the service itself is refused, and says why", async () => {
    const { status, said } = await runToEnd(service, "self");
    expect(status).toBe("SUCCESS");
    expect(said).toContain(
      `Hook self failed: ${new URL(service.url).host} must not be called: its address and its port belong to this service; the operator's setting --hook-networks decides what hooks may call`,
    );
  });

  test("to the metadata of a cloud is refused, and fails the task that requires it", async () => {
    expect(await runToEnd(service, "metadata")).toMatchObject({
      status: "ERROR",
      reason: "HOOK_FAILED",
      message: expect.stringMatching(
        /^Hook metadata failed: 169.254.169.254 must not be called: its address is/,
      ),
    });
  });

  test("ends when the hook's time-out is over, all tries included", async () => {
    receiver.answer("/silent", undefined);
    const { status, said } = await runToEnd(service, "silent");
    expect(status).toBe("SUCCESS");
    expect(said).toContain("Hook silent failed: it took longer than 1 s");
  });
});

describe("a hook that fails", () => {
  test("before a task is reported in the log, and the task runs", async () => {
    const { status, said } = await runToEnd(service, "before-fails");
    expect(status).toBe("SUCCESS");
    expect(said).toEqual(expect.arrayContaining(["prog: no", "Hook prog failed: it ended with exit code 4"]));
  });

  test("before a task, if required, ends the task as PREPARE_FAILED, which hooks of failures see", async () => {
    expect(await runToEnd(service, "before-required")).toMatchObject({
      status: "ERROR",
      reason: "PREPARE_FAILED",
      message: "Hook prog failed: it ended with exit code 4",
      said: expect.arrayContaining(["then: PREPARE_FAILED"]),
    });
  });

  test("after a success is reported in the log, and the task stays a success", async () => {
    const { status, said } = await runToEnd(service, "after-fails");
    expect(status).toBe("SUCCESS");
    expect(said).toContain("Hook prog failed: it ended with exit code 4");
  });

  test("after a success, if required, makes the task a failure, also for the hooks that run later", async () => {
    const { task, ...rest } = await runToEnd(service, "after-required");
    expect(rest).toMatchObject({
      status: "ERROR",
      reason: "HOOK_FAILED",
      message: "Hook prog failed: it ended with exit code 4",
      said: expect.arrayContaining(["outer: HOOK_FAILED"]),
    });
    expect(task.end?.exitCode).toBe(0);
  });

  test("after a failure leaves the task's reason unchanged, required or not", async () => {
    const { said, ...end } = await runToEnd(service, "both-fail");
    expect(end).toMatchObject({ status: "ERROR", reason: "EXIT_CODE" });
    expect(said).toContain("Hook prog failed: it ended with exit code 4");
  });

  test.each([
    ["dies", "Hook prog failed: it was killed by SIGKILL"],
    ["no-app", "Hook prog failed: Cannot run app cobol: this server has no shell-like app of that name"],
  ])("is reported in the log: %s", async (template, line) => {
    expect((await runToEnd(service, template)).said).toContain(line);
  });
});

test("an HTTP call is made even if the task's settings cannot be loaded; a program of a hook is not run then", async () => {
  const hooks: HookInit[] = [
    { name: "call", event: ON_FAILURE, ...http({ url: `${receiver.url}/changed` }) },
    { name: "prog", event: ON_FAILURE, ...program("true") },
  ];
  await using other = await startService({ env: { SIGNALMAN_MAX_PARALLEL_TASKS: "1" } });
  await applyHooked(other, { busy: "sleep 1000", changed: { script: "true", hooks } });
  const busy = await runDemo(other, "busy");
  const { name } = await runDemo(other, "changed");
  const survey = [{ name: "stage", required: true }];
  await applyHooked(other, { busy: "sleep 1000", changed: { script: "true", hooks, survey } });
  await kill(other, busy.name);
  const { said, ...end } = await ended(other, name);
  expect(end).toMatchObject({ status: "ERROR", reason: "PREPARE_FAILED" });
  expect(said).toContain(
    "Hook prog failed: the settings of the task, which its program needs, could not be loaded",
  );
  const [call] = await receiver.calls("/changed", 1);
  expect(JSON.parse(call?.body ?? "")).toMatchObject({ reason: "PREPARE_FAILED", message: end.message });
});

describe("a hook that hangs", () => {
  test.each([
    ["late-before", { status: "ERROR", reason: "PREPARE_FAILED" }],
    ["late-after", { status: "SUCCESS" }],
  ])("is ended at its time-out with all its processes: %s", async (template, end) => {
    const result = await runToEnd(service, template);
    expect(result).toMatchObject(end);
    expect([...result.said, result.message].join("\n")).toContain(
      "Hook prog failed: it took longer than 1 s",
    );
    expect(aliveOf(result.task)).toEqual([]);
  });

  test("before a task ends at once when the task is killed", async () => {
    const { name } = await runDemo(service, "hangs-before");
    const watcher = watch(service, { name });
    await watcher.line("prog: hangs");
    watcher.cancel();
    await kill(service, name);
    expect(await ended(service, name)).toMatchObject({ status: "STOPPED", reason: "STOPPED_BY_USER" });
    expect(aliveOf({ name })).toEqual([]);
  });

  test("after a task ends at once when the task is killed, and later hooks see a stopped task", async () => {
    const { name } = await runDemo(service, "hangs-after");
    const watcher = watch(service, { name });
    await watcher.line("prog: hangs");
    watcher.cancel();
    await kill(service, name);
    const { said, ...end } = await ended(service, name);
    expect(end).toMatchObject({ status: "STOPPED", reason: "STOPPED_BY_USER" });
    expect(said).toContain("outer: STOPPED");
    expect(aliveOf({ name })).toEqual([]);
  });

  test("after a task does not delay a shutdown, and the next server runs it again", async () => {
    const { name } = await runDemo(service, "hangs-after");
    const first = watch(service, { name });
    await first.line("prog: hangs");
    first.cancel();
    const begun = performance.now();
    expect(await service.kill("SIGTERM")).toMatchObject({ code: 0 });
    expect(performance.now() - begun).toBeLessThan(10_000);
    await service.start();
    const again = () =>
      watcher.events
        .flatMap(({ event }) => (event.case === "log" ? event.value.lines : []))
        .filter(({ content }) => Buffer.from(content).toString() === "prog: hangs").length === 2;
    const watcher = watch(service, { name });
    await watcher.until(again);
    watcher.cancel();
    await kill(service, name);
    expect(await ended(service, name)).toMatchObject({ status: "STOPPED" });
    expect(aliveOf({ name })).toEqual([]);
  });

  test("after a task whose server is killed is ended by the next server before it runs again", async () => {
    const { name } = await runDemo(service, "hangs-after");
    const first = watch(service, { name });
    await first.line("prog: hangs");
    first.cancel();
    const before = aliveOf({ name });
    expect(before.length).toBeGreaterThan(0);
    await service.kill("SIGKILL");
    await service.start();
    await until(() => !aliveOf({ name }).some((pid) => before.includes(pid)));
    await until(() => aliveOf({ name }).length > 0);
    await kill(service, name);
    expect(await ended(service, name)).toMatchObject({ status: "STOPPED" });
    expect(aliveOf({ name })).toEqual([]);
  });
});

test("a hook that prints without end has its output cut in the log, which says so", async () => {
  const { said } = await runToEnd(service, "floods");
  expect(said).toContain("prog: further output is not shown (the limit is 1 MiB)");
  expect(said.filter((line) => line.startsWith("prog: ")).join("").length).toBeLessThan(3 * 1024 * 1024);
});
