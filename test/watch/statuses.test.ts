import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EndReason, TaskStatus } from "../../gen/signalman/v1/task_pb.ts";
import { TaskService, type WatchTaskResponse } from "../../gen/signalman/v1/task_service_pb.ts";
import { applyDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { collect, expectOrder, flatten, linesOf, statusesOf, watch } from "./events.ts";
import { PUPPET, runPuppet } from "./puppet.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
  await applyDemo(service, {
    puppet: { script: PUPPET, allowParallelTasks: true },
    single: PUPPET,
    missing: { script: "", path: "not/there" },
  });
});
afterAll(() => service[Symbol.asyncDispose]());

const STOPPED = ["WAITING", "STARTING", "RUNNING", "STOPPING", "STOPPED"];

/** Returns texts of lines and names of statuses in the order in which they arrived. */
const storyOf = (events: readonly WatchTaskResponse[]) =>
  events.flatMap((event) => [
    ...linesOf([event]).map(({ content }) => Buffer.from(content).toString()),
    ...statusesOf([event]),
  ]);

describe("every watcher gets a status at its place among the lines", () => {
  test("STOPPING comes in the middle of the output, for early and late watchers", async () => {
    const task = await runPuppet(service, "puppet");
    const early = watch(service, task);
    await task.do("trap 'echo bye 1; echo bye 2 >&2; exit 7' TERM; echo ready");
    await early.line("ready");
    await service.client(TaskService).killTask({ name: task.name, reason: "enough of it" });
    const events = await early.done;
    const story = storyOf(events);
    expect(story.filter((entry) => entry in TaskStatus)).toEqual(STOPPED);
    expect(story.slice(4, 6)).toEqual(["ready", "STOPPING"]);
    expect(story.slice(6).sort()).toEqual(["STOPPED", "Stopped by KillTask", "bye 1", "bye 2"]);
    expect(story.at(-1)).toBe("STOPPED");
    expectOrder(events);
    expect(flatten(await collect(service, task))).toEqual(flatten(events));
  });

  test("only the final status carries the end", async () => {
    const task = await runPuppet(service, "puppet");
    await task.do("exit 9");
    const changes = (await collect(service, task)).flatMap(({ event }) =>
      event.case === "status" ? [event.value] : [],
    );
    expect(changes.map(({ end }) => end?.exitCode)).toEqual([undefined, undefined, undefined, 9]);
    expect(changes.at(-1)?.end?.reason).toBe(EndReason.EXIT_CODE);
    const times = changes.map(({ time }) => Number(time?.seconds) * 1000 + Number(time?.nanos) / 1e6);
    expect(times.toSorted((a, b) => a - b)).toEqual(times);
  });
});

test("the watcher of a killed waiting task gets STOPPED without any line", async () => {
  const first = await runPuppet(service, "single");
  const running = watch(service, first);
  await running.status("RUNNING");
  const second = await runPuppet(service, "single");
  const waiting = watch(service, second);
  await waiting.status("WAITING");
  await service.client(TaskService).killTask(second);
  const story = storyOf(await waiting.done);
  await first.do("exit");
  await running.done;
  expect(story).toEqual(["WAITING", "STOPPED"]);
  expect(storyOf(await collect(service, second))).toEqual(story);
});

test("a task that cannot be prepared ends as ERROR, and its log says why", async () => {
  const { task } = await service.client(TaskService).runTask({ template: "projects/demo/templates/missing" });
  const story = storyOf(await collect(service, { name: task?.name }));
  expect(story.filter((entry) => entry in TaskStatus)).toEqual(["WAITING", "STARTING", "ERROR"]);
  expect(story.at(-2)).toMatch(/^Cannot run not\/there: there is no such file/);
});

test("a watcher of a waiting task gets the start as soon as it happens", async () => {
  const first = await runPuppet(service, "single");
  const second = await runPuppet(service, "single");
  const waiting = watch(service, second);
  await waiting.status("WAITING");
  expect(statusesOf(waiting.events)).toEqual(["WAITING"]);
  await first.do("exit");
  await waiting.status("RUNNING");
  await second.do("exit");
  expect(statusesOf(await waiting.done)).toEqual(["WAITING", "STARTING", "RUNNING", "SUCCESS"]);
});

describe("heartbeats", () => {
  const every1s = { heartbeatInterval: { seconds: 1n } };
  const isBeat = ({ event }: WatchTaskResponse) => event.case === "heartbeat";

  test("are sent while nothing happens, and their tokens continue there", async () => {
    const task = await runPuppet(service, "puppet");
    const live = watch(service, { ...task, ...every1s });
    await live.status("RUNNING");
    await live.until((events) => events.filter(isBeat).length >= 2);
    const beat = live.events.findLast(isBeat);
    await task.do("echo x; exit");
    const all = await live.done;
    const rest = await collect(service, {
      ...task,
      start: { case: "resumeToken", value: beat?.resumeToken ?? "" },
    });
    expect(flatten(rest)).toEqual(flatten(all.slice(all.lastIndexOf(beat as WatchTaskResponse))));
    expect(storyOf(rest)).toEqual(["x", "SUCCESS"]);
  });

  test("are also sent to watchers of statuses only, or of a silent stream, while other streams have lines", async () => {
    const task = await runPuppet(service, "puppet");
    const watches = [
      watch(service, { ...task, ...every1s, logs: false }),
      watch(service, { ...task, ...every1s, streams: [2] }),
    ];
    const busy = watch(service, task);
    await task.do("while :; do echo busy; sleep 0.1; done");
    await busy.line("busy");
    for (const live of watches) {
      const before = live.events.filter(isBeat).length;
      // The first heartbeat may have been sent before the output began.
      await live.until((events) => events.filter(isBeat).length >= before + 2);
    }
    const value = watches[1]?.events.at(-1)?.resumeToken ?? "";
    await service.client(TaskService).killTask({ ...task, force: true });
    await Promise.all(watches.map(({ done }) => done));
    const rest = await collect(service, { ...task, start: { case: "resumeToken", value } });
    expect(linesOf(rest)[0]?.seq).toBeGreaterThan(2n);
    expect(statusesOf(rest)).toEqual(["STOPPING", "STOPPED"]);
  });
});
