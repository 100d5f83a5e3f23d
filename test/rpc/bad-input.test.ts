import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type postgres from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AccessKeyService } from "../../gen/signalman/v1/access_key_pb.ts";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { EnvironmentService } from "../../gen/signalman/v1/environment_pb.ts";
import { InventoryService } from "../../gen/signalman/v1/inventory_pb.ts";
import { ProjectService } from "../../gen/signalman/v1/project_pb.ts";
import { RepositoryService } from "../../gen/signalman/v1/repository_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../gen/signalman/v1/template_pb.ts";
import { applyDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { watch } from "../watch/events.ts";
import { PUPPET, runPuppet } from "../watch/puppet.ts";
import { everythingIn, invalid, openSql, refusal } from "./support.ts";

const SERVICES = [
  TaskService,
  CatalogService,
  ProjectService,
  RepositoryService,
  EnvironmentService,
  TemplateService,
  InventoryService,
  AccessKeyService,
];
const METHODS = SERVICES.flatMap((service) => service.methods);

let service: TestService;
let sql: postgres.Sql;
let task: string;
let before: string;
beforeAll(async () => {
  service = await startService();
  sql = openSql(service);
  await applyDemo(service, { puppet: { script: PUPPET, allowOverrideGitBranch: true } });
  // A task that could be killed, watched and read if the request were valid.
  task = (await runPuppet(service, "puppet")).name;
  await watch(service, { name: task }).status("RUNNING");
});
afterAll(async () => {
  await service.client(TaskService).killTask({ name: task, force: true });
  await sql.end();
  await service[Symbol.asyncDispose]();
});
beforeEach(async () => {
  before = await everythingIn(sql);
});
afterEach(async () => expect(await everythingIn(sql)).toBe(before));

/** Calls an RPC with a request in proto3 JSON. */
function call(name: string, request: JsonObject): Promise<unknown> | AsyncIterable<unknown> {
  const method = METHODS.find((candidate) => candidate.name === name);
  if (!method) throw new Error(`There is no RPC ${name}`);
  const client = createClient(method.parent, createGrpcTransport({ baseUrl: service.url }));
  const rpc = (client as unknown as Record<string, (r: unknown) => Promise<unknown>>)[method.localName];
  return rpc?.(fromJson(method.input, request)) ?? Promise.resolve();
}

const TEMPLATE = "projects/demo/templates/puppet";
const BAD_NAMES = [
  "",
  "demo",
  "projects/demo/",
  "projects/Demo",
  "projects/demo/extra",
  "projects/../x",
  "projects/-",
];
const long = (length: number) => "é".repeat(length);

/** Fields that a valid resource of a kind needs. */
const RIGHT: Record<string, JsonObject> = {
  Repository: { url: "/" },
  Template: { app: "sh", repository: "scripts", path: "x" },
  Inventory: { ini: "localhost" },
};

/** A request, and its wrong field. */
type Case = [JsonObject, string];

const WRONG: Record<string, Case[]> = {
  RunTask: [
    [{ template: "" }, "template"],
    [{ template: "demo/puppet" }, "template"],
    [{ template: "projects/demo/tasks/x" }, "template"],
    [{ requestId: "1" }, "request_id"],
    [{ variables: { "a\0b": 1 } }, 'variables["a\\u0000b"]'],
    [{ variables: { a: { b: ["\0"] } } }, 'variables["a"]["b"][0]'],
    [{ variables: { a: "x".repeat(1024 * 1024) } }, "variables"],
    [{ secretVariables: { "not a name": "hidden" } }, 'secret_variables["not a name"]'],
    [{ secretVariables: { SEMAPHORE_TASK_TYPE: "hidden" } }, 'secret_variables["SEMAPHORE_TASK_TYPE"]'],
    [{ variables: { a: 1 }, secretVariables: { a: "hidden" } }, 'secret_variables["a"]'],
    [{ env: { SIGNALMAN_TASK: "x" } }, 'env["SIGNALMAN_TASK"]'],
    [{ env: { A: "\0" } }, 'env["A"]'],
    [{ wait: "3601s" }, "wait"],
    [{ arguments: ["ok", "\0"] }, "arguments[1]"],
    [{ commit: "main" }, "commit"],
    [{ commit: "--upload-pack=x" }, "commit"],
    [{ gitBranch: "a\0b" }, "git_branch"],
    [{ message: long(251) }, "message"],
    [{ labels: { Team: "x" } }, 'labels["Team"]'],
    [{ labels: { team: long(256) } }, 'labels["team"]'],
    [{ priority: 0 }, "priority"],
    [{ priority: 101 }, "priority"],
    [{ queueTimeout: "0.5s" }, "queue_timeout"],
    [{ runTimeout: "-1s" }, "run_timeout"],
    [{ idleTimeout: "0s" }, "idle_timeout"],
  ].map(([request, field]) => [{ template: TEMPLATE, ...(request as JsonObject) }, field as string]),
  KillTask: [
    ...BAD_NAMES.map((name): Case => [{ name }, "name"]),
    [{ gracePeriod: "601s" }, "grace_period"],
    [{ gracePeriod: "-1s" }, "grace_period"],
    [{ reason: long(251) }, "reason"],
    [{ reason: "\0" }, "reason"],
  ],
  WatchTask: [
    ...BAD_NAMES.map((name): Case => [{ name }, "name"]),
    [{ tailLines: -1 }, "tail_lines"],
    [{ tailLines: 1_000_001 }, "tail_lines"],
    [{ afterSeq: "-1" }, "after_seq"],
    [{ resumeToken: "x" }, "resume_token"],
    [{ streams: ["LOG_STREAM_UNSPECIFIED"] }, "streams[0]"],
    [{ streams: [1, 9] }, "streams[1]"],
    [{ heartbeatInterval: "0.9s" }, "heartbeat_interval"],
    [{ heartbeatInterval: "61s" }, "heartbeat_interval"],
  ],
  GetTask: BAD_NAMES.map((name) => [{ name }, "name"]),
  ListTasks: [
    ...["", "demo", "projects/Demo", "projects/demo/tasks"].map((parent): Case => [{ parent }, "parent"]),
    [{ parent: "projects/demo", pageSize: -1 }, "page_size"],
    [{ parent: "projects/demo", pageSize: 1001 }, "page_size"],
    [{ parent: "projects/demo", pageToken: "x" }, "page_token"],
    [{ parent: "projects/demo", filter: "x" }, "filter"],
    [{ parent: "projects/demo", filter: 'labels.a = "\0"' }, "filter"],
    ...["status", "create_time asc", "create_time  desc", "id", "end_time desc, start_time"].map(
      (orderBy): Case => [{ parent: "projects/demo", orderBy }, "order_by"],
    ),
  ],
  KillTasks: ["", "demo/puppet", "projects/demo/templates/"].map((template) => [{ template }, "template"]),
  DeleteTask: BAD_NAMES.map((name) => [{ name }, "name"]),
  ConfirmTask: [...BAD_NAMES.map((name): Case => [{ name, planDigest: "x" }, "name"]), [{}, "plan_digest"]],
  AbandonTask: [...BAD_NAMES.map((name): Case => [{ name }, "name"]), [{ reason: long(251) }, "reason"]],
  RejectTask: [...BAD_NAMES.map((name): Case => [{ name }, "name"]), [{ reason: long(251) }, "reason"]],
  GetTaskPlan: BAD_NAMES.map((name) => [{ name }, "name"]),
  WaitTask: [
    ...BAD_NAMES.map((name): Case => [{ name }, "name"]),
    ...["-1s", "3601s"].map((timeout): Case => [{ timeout }, "timeout"]),
  ],
  GetTaskResult: BAD_NAMES.map((name) => [{ name }, "name"]),
  WatchTasks: [
    ...["", "demo", "projects/Demo"].map((parent): Case => [{ parent }, "parent"]),
    [{ parent: "projects/demo", heartbeatInterval: "0.9s" }, "heartbeat_interval"],
    [{ parent: "projects/demo", filter: "x" }, "filter"],
    [{ parent: "projects/demo", filter: "status = RUNNING" }, "filter"],
    [{ parent: "projects/demo", resumeToken: "x" }, "resume_token"],
    [{ parent: "projects/demo", resumeToken: "\0" }, "resume_token"],
  ],
  ReadTaskLog: [
    ...BAD_NAMES.map((name): Case => [{ name }, "name"]),
    [{ afterSeq: "-1" }, "after_seq"],
    [{ tailLines: 0 }, "tail_lines"],
    [{ tailLines: 1_000_001 }, "tail_lines"],
    [{ maxLines: 10_001 }, "max_lines"],
    [{ maxLines: -1 }, "max_lines"],
    [{ streams: [0] }, "streams[0]"],
    [{ format: 9 }, "format"],
  ],
  ApplyCatalog: [
    [{}, "catalog"],
    [{ catalog: {} }, "catalog.project"],
    [{ catalog: { project: { name: "-" } } }, "catalog.project.name"],
    ...catalogs({
      "project.description": { project: { name: "demo", description: "\0" } },
      "project.max_parallel_tasks": { project: { name: "demo", maxParallelTasks: 10_001 } },
      "repositories[0].url": { repositories: [{ name: "new", url: "./here" }] },
      "repositories[1].name": {
        repositories: [
          { name: "new", url: "/" },
          { name: "new", url: "/" },
        ],
      },
      "environments[0].name": { environments: [{ name: "projects/other/environments/x" }] },
      'environments[0].env["1"]': { environments: [{ name: "new", env: { 1: "x" } }] },
      'environments[0].variables["a"]': { environments: [{ name: "new", variables: { a: "\0" } }] },
      "templates[0].repository": { templates: [{ name: "new", app: "sh", path: "x", repository: "none" }] },
      "templates[0].path": { templates: [{ name: "new", app: "sh", path: "../x", repository: "scripts" }] },
      "templates[0].app": { templates: [{ name: "new", path: "x", repository: "scripts" }] },
      "templates[0].run_timeout": {
        templates: [{ name: "new", app: "sh", path: "x", repository: "scripts", runTimeout: "0s" }],
      },
      "templates[0].survey[0].values": {
        templates: [
          { name: "new", app: "sh", path: "x", repository: "scripts", survey: [{ name: "a", type: 3 }] },
        ],
      },
    }),
  ],
  ExportCatalog: ["", "demo", "projects/-", "projects/demo/x"].map((name) => [{ name }, "name"]),
  ...standard("Project", "Projects", ["projects", "projects/A"], undefined),
  ...standard("Repository", "Repositories", ["demo", "projects/demo/templates/x"], "projects/demo"),
  ...standard("Environment", "Environments", ["demo", "projects/demo/environments/"], "projects/demo"),
  ...standard("Template", "Templates", ["demo/puppet", "projects/demo/templates/A"], "projects/demo"),
  ...standard("Inventory", "Inventories", ["demo/x", "projects/demo/inventories/A"], "projects/demo"),
  ...standard("AccessKey", "AccessKeys", ["demo/x", "projects/demo/accessKeys/A"], "projects/demo"),
};

function catalogs(cases: Record<string, JsonObject>): Case[] {
  const project = { name: "demo" };
  return Object.entries(cases).map(([field, part]) => [
    { catalog: { project, ...part } },
    `catalog.${field}`,
  ]);
}

/** The standard methods of a kind. */
function standard(
  one: string,
  many: string,
  badNames: string[],
  parent: string | undefined,
): Record<string, Case[]> {
  const from: JsonObject = parent === undefined ? {} : { parent };
  const badParents = parent === undefined ? [] : ["", "demo", "projects/-"];
  const badPages: Case[] = [
    [{ pageSize: -1 }, "page_size"],
    [{ pageSize: 1001 }, "page_size"],
    [{ pageToken: "x" }, "page_token"],
    [{ pageToken: "\0" }, "page_token"],
  ];
  const field = one === "AccessKey" ? "access_key" : one.toLowerCase();
  const names = ["", ...badNames].map((name): Case => [{ name }, "name"]);
  return {
    [`Create${one}`]: [
      ...badParents.map(
        (bad): Case => [{ parent: bad, [`${field}_id`]: "new", [field]: RIGHT[one] ?? {} }, "parent"],
      ),
      [{ ...from, [`${field}_id`]: "New", [field]: RIGHT[one] ?? {} }, `${field}_id`],
      [{ ...from, [`${field}_id`]: "new" }, field],
    ],
    [`Update${one}`]: ["", ...badNames].map((name): Case => [{ [field]: { name } }, `${field}.name`]),
    [`Delete${one}`]: names,
    [`Get${one}`]: names,
    [`List${many}`]: [
      ...badParents.map((bad): Case => [{ parent: bad }, "parent"]),
      ...badPages.map(([page, field]): Case => [{ ...from, ...page }, field]),
    ],
  };
}

test("every RPC has cases of bad input", () => {
  expect(Object.keys(WRONG).sort()).toEqual(METHODS.map(({ name }) => name).sort());
});

const OF_A_TASK = new Set([
  "KillTask",
  "WatchTask",
  "WaitTask",
  "ReadTaskLog",
  "ConfirmTask",
  "RejectTask",
  "AbandonTask",
]);

describe.each(Object.entries(WRONG))(
  "%s refuses bad input, names the field and writes nothing",
  (name, cases) => {
    test.each(
      cases.map(([request, field]) => [field, JSON.stringify(request).slice(0, 70), request] as const),
    )("%s of %s", async (field, _, request) => {
      const whole = OF_A_TASK.has(name) ? { name: task, ...request } : request;
      expect(await refusal(call(name, whole))).toEqual(invalid(field));
    });
  },
);

test("all violations of a request are reported together, and no secret is repeated", async () => {
  const request = {
    template: "x",
    priority: 0,
    secretVariables: { "a b": "hunter2", B: "hunter2\0" },
    commit: "x",
  };
  const error = await (call("RunTask", request) as Promise<unknown>).catch((e: Error) => e);
  expect(String(error)).not.toContain("hunter2");
  expect(await refusal(call("RunTask", request))).toEqual(
    invalid("template", 'secret_variables["a b"]', 'secret_variables["B"]', "commit", "priority"),
  );
});
