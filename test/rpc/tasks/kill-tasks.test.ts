import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KillOutcome, TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { applyDemo, endOf, runDemo } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { collect, statusesOf, watch } from "../../watch/events.ts";
import { refusal } from "../support.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
  const script = 'touch "$STARTED/$SEMAPHORE_TASK_DETAILS_ID"; echo ready; sleep 1000';
  await applyDemo(service, {
    // Runs one task at a time; the others wait.
    lone: { script },
    many: { script, allowParallelTasks: true },
    other: { script, allowParallelTasks: true },
  });
});
afterAll(() => service[Symbol.asyncDispose]());

const tasks = () => service.client(TaskService);
const template = (name: string) => `projects/demo/templates/${name}`;
const run = (name: string) => runDemo(service, name, { env: { STARTED: service.dataDir } });

test("KillTasks by two callers at once ends twenty tasks, and none of the waiting ones starts", async () => {
  const bystander = await run("other");
  const names = [(await run("lone")).name];
  await watch(service, { name: names[0] ?? "" }).line("ready");
  for (let i = 1; i < 20; i++) names.push((await run("lone")).name);
  const request = { template: template("lone"), force: true, reason: "enough" };
  const answers = await Promise.all([tasks().killTasks(request), tasks().killTasks(request)]);
  const outcomes = new Map(names.map((name) => [name, [] as KillOutcome[]]));
  for (const { tasks: killed, total } of answers) {
    expect(killed).toHaveLength(total);
    for (const { name, outcome } of killed) outcomes.get(name)?.push(outcome);
  }
  const { KILLED_BEFORE_START, KILL_REQUESTED, ALREADY_STOPPING, ALREADY_FINAL } = KillOutcome;
  for (const [i, name] of names.entries()) {
    const did = outcomes
      .get(name)
      ?.filter((outcome) => outcome !== ALREADY_FINAL && outcome !== ALREADY_STOPPING);
    expect(did).toEqual([i === 0 ? KILL_REQUESTED : KILLED_BEFORE_START]);
    const events = await collect(service, { name, logs: false });
    expect(statusesOf(events)).toEqual(
      i === 0 ? ["WAITING", "STARTING", "RUNNING", "STOPPING", "STOPPED"] : ["WAITING", "STOPPED"],
    );
    expect(endOf(events)).toMatchObject({ kill: { reason: "enough", force: true } });
  }
  const started = await readdir(service.dataDir);
  expect(names.filter((name) => started.includes(name.split("/").at(-1) ?? ""))).toEqual([names[0]]);
  expect((await tasks().getTask({ name: bystander.name })).task?.kill).toBeUndefined();
  await tasks().killTask({ name: bystander.name, force: true });
});

test("KillTasks ends running tasks and tasks that are being claimed at the same moment", async () => {
  const names = (await Promise.all(Array.from({ length: 20 }, () => run("many")))).map(({ name }) => name);
  const each = names.map((name) => tasks().killTask({ name, force: true }));
  const all = [1, 2, 3].map(() => tasks().killTasks({ template: template("many"), force: true }));
  await Promise.all([...each, ...all]);
  for (const name of names)
    expect(statusesOf(await collect(service, { name, logs: false })).at(-1)).toBe("STOPPED");
});

test("KillTasks of a template without active tasks does nothing", async () => {
  expect(await tasks().killTasks({ template: template("lone") })).toMatchObject({ tasks: [], total: 0 });
  expect(await tasks().killTasks({ template: template("none") })).toMatchObject({ tasks: [], total: 0 });
  expect(await refusal(tasks().killTasks({ template: "projects/none/templates/lone" }))).toMatchObject({
    code: "NotFound",
  });
});
