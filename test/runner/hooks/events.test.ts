import { fromJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type HookEvent, HookEventSchema } from "../../../gen/signalman/v1/hook_pb.ts";
import { runDemo } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { watch } from "../../watch/events.ts";
import {
  AFTER_TASK,
  applyHooked,
  BEFORE_TASK,
  EVENTS,
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

const word = (event: HookEvent) => HookEventSchema.value[event]?.localName.toLowerCase() ?? "";
const WRITE = 'echo "$SIGNALMAN_EVENT/$SIGNALMAN_STATUS/$SIGNALMAN_REASON"';

let service: TestService;
let receiver: Receiver;
beforeAll(async () => {
  [service, receiver] = await Promise.all([startService(), startReceiver()]);
  const each = (make: (event: HookEvent) => HookInit) => EVENTS.map(make);
  const programs = each((event) => ({ name: word(event), event, ...program(WRITE) }));
  const calls = each((event) => ({
    name: word(event),
    event,
    ...http({ url: `${receiver.url}/${word(event)}` }),
  }));
  const body = fromJson(ValueSchema, "{{event}} of {{ template }} {{what}}");
  const noting = (name: string, event: HookEvent) => ({ name, event, ...program(`echo ${name}`) });
  const both = (who: string) => [
    noting(`${who} before 1`, BEFORE_TASK),
    noting(`${who} before 2`, BEFORE_TASK),
    noting(`${who} after 1`, AFTER_TASK),
    noting(`${who} success`, ON_SUCCESS),
    noting(`${who} failure`, ON_FAILURE),
    noting(`${who} after 2`, AFTER_TASK),
  ];
  await applyHooked(
    service,
    {
      programs: { script: "exit $1", hooks: programs, allowOverrideArguments: true },
      calls: { script: "exit $1", hooks: calls, allowOverrideArguments: true },
      ordered: { script: "echo program", hooks: both("template") },
      filled: {
        script: "true",
        variables: { a: 'quo"te\n', list: [1] },
        survey: [{ name: "open" }],
        hooks: [
          { name: "text", event: ON_SUCCESS, ...http({ url: `${receiver.url}/text`, body }) },
          {
            name: "object",
            event: ON_SUCCESS,
            ...http({
              url: `${receiver.url}/object`,
              method: "PUT",
              headers: { "X-Team": "web", "Content-Type": "application/cloudevents+json" },
              body: fromJson(ValueSchema, {
                text: "{{variables.a}}|{{variables.list}}|{{variables.none}}|{{other}}|{{variables.pin}}",
                "{{task}}": [true, 1, null, "{{status}}"],
              }),
            }),
          },
          { name: "plain", event: ON_SUCCESS, ...http({ url: `${receiver.url}/plain`, method: "GET" }) },
        ],
      },
      places: {
        script: "echo made >made",
        hooks: [
          { name: "before", event: BEFORE_TASK, ...program("pwd; ls -A; echo x >mine") },
          { name: "after", event: AFTER_TASK, ...program("ls -A; cat made") },
        ],
      },
      python: {
        script: "true",
        hooks: [
          { name: "py", event: ON_SUCCESS, ...program("import os; print(os.environ['TEAM'])", "python") },
        ],
        env: { TEAM: "web" },
      },
      slow: { script: "sleep 1000", hooks: programs },
    },
    { hooks: both("project") },
  );
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

/** Returns the lines of the template's own hooks, in order. */
const own = (said: string[]) => said.filter((line) => /^(before_task|after_task|on_\w+): /.test(line));

describe("programs of hooks run", () => {
  test("around a success: before_task, on_success, after_task", async () => {
    const { said } = await runToEnd(service, "programs", { arguments: ["0"] });
    expect(own(said)).toEqual([
      "before_task: before_task/STARTING/",
      "on_success: on_success/SUCCESS/",
      "after_task: after_task/SUCCESS/",
    ]);
  });

  test("around a failure: before_task, on_failure, after_task", async () => {
    const { said } = await runToEnd(service, "programs", { arguments: ["3"] });
    expect(own(said)).toEqual([
      "before_task: before_task/STARTING/",
      "on_failure: on_failure/ERROR/EXIT_CODE",
      "after_task: after_task/ERROR/EXIT_CODE",
    ]);
  });

  test("around a stopped task: before_task and after_task only", async () => {
    const { name } = await runDemo(service, "slow");
    const watcher = watch(service, { name });
    await watcher.status("RUNNING");
    watcher.cancel();
    await kill(service, name);
    const { said, status } = await ended(service, name);
    expect(status).toBe("STOPPED");
    expect(own(said).filter((line) => !line.startsWith("before"))).toEqual([
      "after_task: after_task/STOPPED/STOPPED_BY_USER",
    ]);
  });

  test("in Python with the task's environment", async () => {
    expect((await runToEnd(service, "python")).said).toContain("py: web");
  });

  test("in an empty folder before a task, and in the task's workspace after it", async () => {
    const { said } = await runToEnd(service, "places");
    expect(said).toContain("after: made");
    expect(said).not.toContain("after: mine");
    expect(said.filter((line) => line.startsWith("before: "))).toEqual([
      expect.stringMatching(/^before: \/.*\/work$/),
    ]);
  });
});

describe("HTTP calls of hooks are made", () => {
  test("around a success and a failure, with the fields of the task as JSON", async () => {
    for (const code of ["0", "3"]) await runToEnd(service, "calls", { arguments: [code] });
    const { task } = await runToEnd(service, "calls", { arguments: ["3"] });
    const paths = receiver.received.map(({ path }) => path).filter((path) => /_/.test(path));
    expect(paths.slice(0, 3)).toEqual(["/before_task", "/on_success", "/after_task"]);
    expect(paths.slice(3, 6)).toEqual(["/before_task", "/on_failure", "/after_task"]);
    const [last] = receiver.received.slice(-1);
    expect(last).toMatchObject({ method: "POST", headers: { "content-type": "application/json" } });
    expect(JSON.parse(last?.body ?? "")).toEqual({
      task: task.name,
      template: "projects/demo/templates/calls",
      project: "projects/demo",
      app: "bash",
      event: "after_task",
      status: "ERROR",
      reason: "EXIT_CODE",
      message: "The program ended with exit code 3",
      commit_hash: "",
      version: "",
    });
  });

  test("with the body of the hook, its placeholders replaced", async () => {
    const { task, said } = await runToEnd(service, "filled", { secretVariables: { pin: "1234-secret" } });
    const [text] = await receiver.calls("/text", 1);
    expect(JSON.parse(text?.body ?? "")).toBe("on_success of projects/demo/templates/filled {{what}}");
    const [object] = await receiver.calls("/object", 1);
    expect(object).toMatchObject({
      method: "PUT",
      headers: { "x-team": "web", "content-type": "application/cloudevents+json" },
    });
    expect(JSON.parse(object?.body ?? "")).toEqual({
      text: 'quo"te\n|[1]||{{other}}|',
      "{{task}}": [true, 1, null, "SUCCESS"],
    });
    const [plain] = await receiver.calls("/plain", 1);
    expect(plain).toMatchObject({ method: "GET", body: "" });
    const answered = `Hook text: ${new URL(receiver.url).host} answered 204 in `;
    expect(said.some((line) => line.startsWith(answered))).toBe(true);
    expect(task.name).toBeTruthy();
  });
});

test("hooks of the project run before those of the template, and after the task in reverse", async () => {
  const { said } = await runToEnd(service, "ordered");
  const noted = said.filter((line) => /^(template|project) |^program$/.test(line));
  expect(noted.map((line) => line.replace(/.*: /, ""))).toEqual([
    "project before 1",
    "project before 2",
    "template before 1",
    "template before 2",
    "program",
    "template after 2",
    "template success",
    "template after 1",
    "project after 2",
    "project success",
    "project after 1",
  ]);
});
