import { randomUUID } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CatalogService } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { TaskStatus } from "../../../gen/signalman/v1/task_pb.ts";
import { type RunTaskRequestSchema, TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { SurveyType } from "../../../gen/signalman/v1/template_pb.ts";
import { applyDemo, endOf, watchToEnd } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { textsOf } from "../../watch/events.ts";
import { everythingIn, invalid, openSql, refusal } from "../support.ts";

type Init = Exclude<MessageInitShape<typeof RunTaskRequestSchema>, { $typeName: string }>;
const { INT, ENUM, SECRET } = SurveyType;
const ECHO = 'printf "%s\\n" "$@" "env:$MINE" "secret:$pin"';

let service: TestService;
let sql: postgres.Sql;
beforeAll(async () => {
  service = await startService({ env: { SIGNALMAN_MAX_PARALLEL_TASKS: "2" } });
  sql = openSql(service);
  const free = { script: ECHO, allowParallelTasks: true };
  await applyDemo(service, {
    plain: {
      ...free,
      variables: { b: "template" },
      env: { MINE: "template" },
      queueTimeout: { seconds: 60n },
    },
    open: { ...free, allowOverrideArguments: true, allowOverrideGitBranch: true, arguments: ["-t"] },
    survey: {
      ...free,
      survey: [
        { name: "version", title: "Which one", required: true },
        { name: "count", type: INT, default: "3" },
        { name: "stage", type: ENUM, values: [{ value: "dev" }, { value: "prod" }], default: "dev" },
        { name: "pin", type: SECRET, required: true },
      ],
    },
  });
});
afterAll(async () => {
  await sql.end();
  await service[Symbol.asyncDispose]();
});

const run = (template: string, request: Init = {}) =>
  service.client(TaskService).runTask({ template: `projects/demo/templates/${template}`, ...request });
/** Returns the standard output of the task. */
async function output(template: string, request: Init = {}): Promise<string[]> {
  const { task } = await run(template, request);
  const events = await watchToEnd(service, task?.name ?? "");
  expect(endOf(events).status).toBe(TaskStatus.SUCCESS);
  return textsOf(events).flatMap((line) =>
    /Running projects/.test(line) ? [] : [line.replace(/^\d+:/, "")],
  );
}

describe("RunTask", () => {
  test("returns the task as it is stored, with the values of its template", async () => {
    const { task, deduplicated } = await run("plain", {
      variables: { a: [1, null] },
      env: { A: "b" },
      labels: { team: "web" },
      message: "by hand",
      runTimeout: { seconds: 1n, nanos: 1 },
    });
    expect(deduplicated).toBe(false);
    expect(task).toMatchObject({
      template: "projects/demo/templates/plain",
      app: "bash",
      status: TaskStatus.WAITING,
      priority: 50,
      message: "by hand",
      labels: { team: "web" },
      variables: { a: [1, null] },
      env: { A: "b" },
      lastSeq: 0n,
      queueTimeout: { seconds: 60n, nanos: 0 },
      runTimeout: { seconds: 1n, nanos: 1_000_000 },
    });
    expect([task?.idleTimeout, task?.startTime, task?.end]).toEqual([undefined, undefined, undefined]);
    expect(task?.name).toMatch(/^projects\/demo\/tasks\/[0-9a-f]{8}-[0-9a-f]{4}-7/);
    const stored = (await service.client(TaskService).getTask({ name: task?.name ?? "" })).task;
    expect(stored?.createTime).toEqual(task?.createTime);
  });

  test("runs with the request's settings in place of the template's", async () => {
    expect(await output("plain", { variables: { a: 1 } })).toEqual([
      "a=1",
      "b=template",
      "env:template",
      "secret:",
    ]);
    expect(await output("plain", { variables: { b: "task" }, env: { MINE: "task" } })).toEqual([
      "b=task",
      "env:task",
      "secret:",
    ]);
  });

  test("of an unknown template answers NOT_FOUND", async () => {
    expect(await refusal(run("none"))).toMatchObject({ code: "NotFound", reason: "RESOURCE_NOT_FOUND" });
    const elsewhere = service.client(TaskService).runTask({ template: "projects/none/templates/plain" });
    expect(await refusal(elsewhere)).toMatchObject({ code: "NotFound" });
  });
});

describe("RunTask with validate_only", () => {
  test("writes nothing and returns the task that would be created", async () => {
    const before = await everythingIn(sql);
    const { task, deduplicated } = await run("plain", {
      validateOnly: true,
      requestId: randomUUID(),
      variables: { a: 1 },
      secretVariables: { S: "x" },
    });
    expect(deduplicated).toBe(false);
    expect(task).toMatchObject({
      name: "",
      app: "bash",
      variables: { a: 1 },
      secretVariableNames: ["S"],
      priority: 50,
    });
    expect(task?.createTime).toBeUndefined();
    expect(await everythingIn(sql)).toBe(before);
  });

  test("checks everything that RunTask checks", async () => {
    expect(await refusal(run("survey", { validateOnly: true }))).toEqual(
      invalid('variables["version"]', 'secret_variables["pin"]'),
    );
    expect(await refusal(run("none", { validateOnly: true }))).toMatchObject({ code: "NotFound" });
  });
});

describe("RunTask refuses an override that the template does not allow, by its field", () => {
  test.each<[Init, string]>([
    [{ arguments: ["-x"] }, "arguments"],
    [{ gitBranch: "main" }, "git_branch"],
    [{ commit: "0123456" }, "commit"],
  ])("%j", async (asked, field) => {
    const before = await everythingIn(sql);
    expect(await refusal(run("plain", asked))).toEqual({
      ...invalid(field),
      reason: "OVERRIDE_NOT_ALLOWED",
    });
    expect(await everythingIn(sql)).toBe(before);
    expect((await run("open", { ...asked, validateOnly: true })).task).toMatchObject(asked);
  });

  test("and appends allowed arguments to those of the template", async () => {
    expect((await output("open", { arguments: ["-x", "a b"], variables: { v: 1 } })).slice(0, 4)).toEqual([
      "-t",
      "v=1",
      "-x",
      "a b",
    ]);
  });
});

describe("a survey", () => {
  const right = { variables: { version: "1.2" }, secretVariables: { pin: "4711-4711" } };

  test("is answered by the caller, else by its defaults", async () => {
    expect(await output("survey", right)).toEqual([
      "count=3",
      "stage=dev",
      "version=1.2",
      "env:",
      "secret:***",
    ]);
    const all = { ...right, variables: { version: "1.2", count: 7, stage: "prod", more: true } };
    expect(await output("survey", all)).toEqual([
      "count=7",
      "more=true",
      "stage=prod",
      "version=1.2",
      "env:",
      "secret:***",
    ]);
  });

  test.each<[string, Init, string]>([
    ["a required answer that is missing", { variables: {} }, 'variables["version"]'],
    ["a secret that is missing", { secretVariables: {} }, 'secret_variables["pin"]'],
    [
      "a secret given openly",
      { variables: { version: "1", pin: "4711" }, secretVariables: {} },
      'variables["pin"]',
    ],
    ["what is no whole number", { variables: { version: "1", count: "three" } }, 'variables["count"]'],
    ["what is none of the values", { variables: { version: "1", stage: "test" } }, 'variables["stage"]'],
    ["a list for a text", { variables: { version: ["1"] } }, 'variables["version"]'],
  ])("refuses %s", async (_, asked, field) => {
    const before = await everythingIn(sql);
    expect(await refusal(run("survey", { ...right, ...asked }))).toEqual(invalid(field));
    expect(await everythingIn(sql)).toBe(before);
  });
});

test("a waiting task whose overrides its template no longer allows ends as ERROR and says so", async () => {
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "held", maxParallelTasks: 1 },
      repositories: [{ name: "r", url: "/" }],
      templates: [
        { name: "t", app: "sh", repository: "r", path: "etc/passwd", allowOverrideArguments: true },
      ],
    },
  });
  await sql`
    INSERT INTO tasks (id, project, template, app, status, priority, labels, spec, create_time, node, lease_expires)
    VALUES (uuid_v7(now()), 'held', 'other', 'sh', 'RUNNING', 50, '{}', '{}', now(), gen_random_uuid(), now() + interval '1 h')`;
  const { task } = await service
    .client(TaskService)
    .runTask({ template: "projects/held/templates/t", arguments: ["-x"] });
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "held" },
      templates: [{ name: "t", app: "sh", repository: "r", path: "etc/passwd" }],
    },
  });
  const { end } = endOf(await watchToEnd(service, task?.name ?? ""));
  expect(end?.message).toMatch(/^Cannot run projects\/held\/templates\/t: it was changed since .* arguments/);
});
