import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type DescMethod, fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { EnvironmentService } from "../../gen/signalman/v1/environment_pb.ts";
import { ProjectService } from "../../gen/signalman/v1/project_pb.ts";
import { RepositoryService } from "../../gen/signalman/v1/repository_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../gen/signalman/v1/template_pb.ts";
import { startService, type TestService } from "../helpers/service.ts";
import { collect } from "../watch/events.ts";

const SERVICES = [
  CatalogService,
  ProjectService,
  RepositoryService,
  EnvironmentService,
  TemplateService,
  TaskService,
];
const METHODS = SERVICES.flatMap((service) => service.methods).filter(
  ({ methodKind }) => methodKind === "unary",
);

const CATALOG = {
  project: { name: "json", description: "By hand", maxParallelTasks: 3 },
  repositories: [{ name: "scripts", url: "/nowhere" }],
  environments: [{ name: "dev", variables: { a: [1, { b: null }] }, env: { STAGE: "dev" } }],
  templates: [
    { name: "hello", app: "sh", repository: "scripts", environment: "dev", path: "hello", runTimeout: "90s" },
  ],
};
const PROJECT = "projects/json";
const parent = { parent: PROJECT, pageSize: 1 };
let service: TestService;
/** A task that has ended: the folder of its repository is not there. */
let task = "";
/** More of them, to delete one each time. */
const doomed: string[] = [];

/** What each RPC is asked, and a part of what it answers. */
const CALLS: Record<string, () => { request: JsonObject; answer: JsonObject }> = {
  ApplyCatalog: () => ({
    request: { catalog: CATALOG, validateOnly: true },
    answer: {
      changes: Array.from({ length: 4 }, () =>
        expect.objectContaining({ action: "CATALOG_ACTION_UNCHANGED" }),
      ),
    },
  }),
  GetProject: () => ({
    request: { name: PROJECT },
    answer: { project: { name: PROJECT, maxParallelTasks: 3 } },
  }),
  ListProjects: () => ({ request: { pageSize: 1 }, answer: { projects: [{ description: "By hand" }] } }),
  GetRepository: () => ({
    request: { name: `${PROJECT}/repositories/scripts` },
    answer: { repository: { name: `${PROJECT}/repositories/scripts`, url: "/nowhere" } },
  }),
  ListRepositories: () => ({ request: parent, answer: { repositories: [{ url: "/nowhere" }] } }),
  GetEnvironment: () => ({
    request: { name: `${PROJECT}/environments/dev` },
    answer: { environment: { variables: { a: [1, { b: null }] }, env: { STAGE: "dev" } } },
  }),
  ListEnvironments: () => ({ request: parent, answer: { environments: [{ env: { STAGE: "dev" } }] } }),
  GetTemplate: () => ({
    request: { name: `${PROJECT}/templates/hello` },
    answer: { template: { repository: `${PROJECT}/repositories/scripts`, runTimeout: "90s" } },
  }),
  ListTemplates: () => ({ request: parent, answer: { templates: [{ app: "sh" }] } }),
  RunTask: () => ({
    request: { template: `${PROJECT}/templates/hello`, variables: { n: 1.5 }, validateOnly: true },
    answer: { task: { variables: { n: 1.5 }, runTimeout: "90s", priority: 50 } },
  }),
  GetTask: () => ({
    request: { name: task },
    answer: {
      task: { name: task, status: "TASK_STATUS_ERROR", end: { reason: "END_REASON_PREPARE_FAILED" } },
    },
  }),
  KillTask: () => ({
    request: { name: task, gracePeriod: "1.5s" },
    answer: { outcome: "KILL_OUTCOME_ALREADY_FINAL" },
  }),
  KillTasks: () => ({
    request: { template: `${PROJECT}/templates/hello`, force: true },
    answer: {},
  }),
  DeleteTask: () => ({ request: { name: doomed.pop() ?? "" }, answer: {} }),
  ListTasks: () => ({
    request: { parent: "projects/-", filter: "status = ERROR AND labels.number = 0" },
    answer: { tasks: [{ name: task }] },
  }),
  ReadTaskLog: () => ({
    request: { name: task, tailLines: 1, format: "LOG_FORMAT_LINES" },
    answer: { lines: [{ stream: "LOG_STREAM_SYSTEM" }], complete: true },
  }),
};

beforeAll(async () => {
  service = await startService();
  await service.client(CatalogService).applyCatalog({
    catalog: fromJson(CatalogService.method.applyCatalog.input, { catalog: CATALOG }).catalog,
  });
  for (let i = 0; i < 3; i++) {
    const run = await service.client(TaskService).runTask({
      template: `${PROJECT}/templates/hello`,
      labels: { number: String(i) },
    });
    doomed.push(run.task?.name ?? "");
    await collect(service, { name: doomed.at(-1) ?? "" });
  }
  task = doomed.shift() ?? "";
});
afterAll(() => service[Symbol.asyncDispose]());

async function byFetch(path: string, request: JsonObject): Promise<{ status: number; answer: JsonValue }> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(service.url + path, {
    method: "POST",
    headers,
    body: JSON.stringify(request),
  });
  return { status: response.status, answer: (await response.json()) as JsonValue };
}

async function byCurl(path: string, request: JsonObject): Promise<{ status: number; answer: JsonValue }> {
  const data = ["--header", "content-type: application/json", "--data", JSON.stringify(request)];
  const { stdout } = await promisify(execFile)("curl", [
    "--silent",
    "--write-out",
    "\n%{http_code}",
    ...data,
    service.url + path,
  ]);
  const [answer = "", status] = stdout.split("\n");
  return { status: Number(status), answer: JSON.parse(answer) as JsonValue };
}

const pathOf = ({ parent: { typeName }, name }: DescMethod) => `/${typeName}/${name}`;

test("there is an example of every unary RPC", () => {
  expect(METHODS.map(({ name }) => name).sort()).toEqual(Object.keys(CALLS).sort());
});

describe.each([
  ["fetch", byFetch],
  ["curl", byCurl],
] as const)("plain JSON by %s", (_, call) => {
  test.each(METHODS.map((method) => [method.name, method] as const))("%s", async (name, method) => {
    const { request, answer } = CALLS[name]?.() ?? { request: {}, answer: {} };
    const { status, answer: got } = await call(pathOf(method), request);
    expect(got).toMatchObject(answer);
    expect(status).toBe(200);
    // Nothing in it that the contract does not know.
    fromJson(method.output, got);
  });

  test("an error has its code, its sentence and its details", async () => {
    const { status, answer } = await call("/signalman.v1.TaskService/GetTask", {
      name: "projects/json/tasks/1",
    });
    expect(status).toBe(400);
    expect(answer).toMatchObject({ code: "invalid_argument", details: expect.any(Array) });
    const [violation] = (answer as { details: { debug?: JsonObject }[] }).details.flatMap(({ debug }) =>
      debug?.fieldViolations ? [debug.fieldViolations] : [],
    );
    expect(violation).toMatchObject([{ field: "name" }]);
  });

  test("a field that there is not is refused, and named", async () => {
    const { status, answer } = await call("/signalman.v1.TaskService/GetTask", { nam: task });
    expect(status).toBe(400);
    expect(JSON.stringify(answer)).toContain("nam");
  });
});
