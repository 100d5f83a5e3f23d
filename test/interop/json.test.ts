import { execFile } from "node:child_process";
import { promisify } from "node:util";
import {
  type DescMethod,
  type DescService,
  fromJson,
  type JsonObject,
  type JsonValue,
} from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccessKeyService } from "../../gen/signalman/v1/access_key_pb.ts";
import { AppService } from "../../gen/signalman/v1/app_service_pb.ts";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { EnvironmentService } from "../../gen/signalman/v1/environment_pb.ts";
import { InventoryService } from "../../gen/signalman/v1/inventory_pb.ts";
import { ProjectService } from "../../gen/signalman/v1/project_pb.ts";
import { RepositoryService } from "../../gen/signalman/v1/repository_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../gen/signalman/v1/template_pb.ts";
import { startService, type TestService } from "../support/service.ts";
import { collect } from "../watch/events.ts";

const SERVICES = [
  CatalogService,
  AppService,
  ProjectService,
  AccessKeyService,
  RepositoryService,
  InventoryService,
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
  accessKeys: [{ name: "token", text: { value: "hidden" } }],
  inventories: [{ name: "here", ini: "localhost" }],
  templates: [
    {
      ...{ name: "hello", app: "sh", repository: "scripts", environment: "dev", path: "hello" },
      runTimeout: "90s",
      allowExtraVariables: true,
    },
  ],
};
const PROJECT = "projects/json";
const parent = { parent: PROJECT, pageSize: 1 };
let service: TestService;
/** A task that has ended, because the folder of its repository does not exist. */
let task = "";
/** Further tasks, one for each DeleteTask. */
const doomed: string[] = [];

/** Resources that calls create, change and delete: in a separate project, a different one for each call. */
const OTHER = "projects/other";
const SCRATCH: Record<string, { collection: string; field: string; body: JsonObject }> = {
  AccessKey: { collection: "accessKeys", field: "accessKey", body: { text: { value: "x" } } },
  Repository: { collection: "repositories", field: "repository", body: { url: "/nowhere" } },
  Inventory: { collection: "inventories", field: "inventory", body: { ini: "localhost" } },
  Environment: { collection: "environments", field: "environment", body: { env: { A: "b" } } },
  Template: {
    collection: "templates",
    field: "template",
    body: { app: "sh", path: "x", repository: `${OTHER}/repositories/kept` },
  },
};
let made = 0;

/** The standard methods that write, of one kind. */
function writing(kind: string): Record<string, Call> {
  const { collection, field, body } = SCRATCH[kind] ?? { collection: "", field: "", body: {} };
  const kept = `${OTHER}/${collection}/kept`;
  return {
    [`Create${kind}`]: () => ({
      request: { parent: OTHER, [`${field}Id`]: `made-${++made}`, [field]: body },
      answer: { [field]: { name: expect.stringContaining(`${OTHER}/${collection}/made-`) } },
    }),
    [`Update${kind}`]: () => ({
      request: { [field]: { name: kept, description: "Changed" }, updateMask: "description" },
      answer: { [field]: { name: kept, description: "Changed" } },
    }),
    [`Delete${kind}`]: async () => {
      const id = `made-${++made}`;
      await makeOne(kind, id);
      return { request: { name: `${OTHER}/${collection}/${id}` }, answer: {} };
    },
  };
}

/** Request of a call and a part of its response; `status` if it is an error. */
type Call = () => Asked | Promise<Asked>;
interface Asked {
  request: JsonObject;
  answer: JsonObject;
  status?: number;
}

const notWaiting = { code: "failed_precondition" };

/** Request of each RPC and a part of its response. */
const CALLS: Record<string, Call> = {
  ...Object.assign({}, ...Object.keys(SCRATCH).map(writing)),
  CreateProject: () => ({
    request: { projectId: `made-${++made}`, project: { description: "New" } },
    answer: { project: { description: "New" } },
  }),
  UpdateProject: () => ({
    request: { project: { name: OTHER, maxParallelTasks: 2 } },
    answer: { project: { name: OTHER, maxParallelTasks: 2 } },
  }),
  DeleteProject: async () => {
    const projectId = `made-${++made}`;
    await post(ProjectService, "CreateProject", { projectId, project: {} });
    return { request: { name: `projects/${projectId}` }, answer: {} };
  },
  ExportCatalog: () => ({
    request: { name: PROJECT },
    answer: { catalog: { project: { name: "json" } }, leftOut: ["access_keys[0].text.value"] },
  }),
  ListApps: () => ({
    request: {},
    answer: { apps: expect.arrayContaining([expect.objectContaining({ name: "sh", available: true })]) },
  }),
  GetAccessKey: () => ({
    request: { name: `${PROJECT}/accessKeys/token` },
    answer: { accessKey: { name: `${PROJECT}/accessKeys/token`, text: {} } },
  }),
  ListAccessKeys: () => ({ request: parent, answer: { accessKeys: [{ text: {} }] } }),
  GetInventory: () => ({
    request: { name: `${PROJECT}/inventories/here` },
    answer: { inventory: { ini: "localhost" } },
  }),
  ListInventories: () => ({ request: parent, answer: { inventories: [{ ini: "localhost" }] } }),
  ConfirmTask: () => ({ request: { name: task, planDigest: "0" }, answer: notWaiting, status: 400 }),
  AbandonTask: () => ({ request: { name: task }, answer: { task: { name: task } } }),
  RejectTask: () => ({ request: { name: task }, answer: notWaiting, status: 400 }),
  GetTaskPlan: () => ({ request: { name: task }, answer: { code: "not_found" }, status: 404 }),
  WaitTask: () => ({ request: { name: task, timeout: "60s" }, answer: { task: { name: task } } }),
  GetTaskResult: () => ({ request: { name: task }, answer: {} }),
  ApplyCatalog: () => ({
    request: { catalog: CATALOG, validateOnly: true },
    answer: {
      changes: Array.from({ length: 6 }, () =>
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
  await makeScratch();
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

/** Resources to which the other kinds refer, and those that are changed. */
async function makeScratch(): Promise<void> {
  await post(ProjectService, "CreateProject", { projectId: "other", project: {} });
  for (const kind of Object.keys(SCRATCH)) await makeOne(kind, "kept");
}

async function makeOne(kind: string, id: string): Promise<void> {
  const service = SERVICES.find(({ typeName }) => typeName.endsWith(`.${kind}Service`));
  const { field = "", body = {} } = SCRATCH[kind] ?? {};
  if (service) await post(service, `Create${kind}`, { parent: OTHER, [`${field}Id`]: id, [field]: body });
}

async function post({ typeName }: DescService, rpc: string, request: JsonObject): Promise<void> {
  expect((await byFetch(`/${typeName}/${rpc}`, request)).status).toBe(200);
}

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

test("every unary RPC has an example in JSON", () => {
  expect(METHODS.map(({ name }) => name).sort()).toEqual(Object.keys(CALLS).sort());
});

describe.each([
  ["fetch", byFetch],
  ["curl", byCurl],
] as const)("plain JSON by %s", (_, call) => {
  test.each(METHODS.map((method) => [method.name, method] as const))("%s", async (name, method) => {
    const {
      request,
      answer,
      status: expected = 200,
    } = await (CALLS[name]?.() ?? { request: {}, answer: {} });
    const { status, answer: got } = await call(pathOf(method), request);
    expect(got).toMatchObject(answer);
    expect(status).toBe(expected);
    // The response has no fields that the contract lacks.
    if (status === 200) fromJson(method.output, got);
  });

  test("an error has a code, a message and details", async () => {
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

  test("an unknown field is refused by its name", async () => {
    const { status, answer } = await call("/signalman.v1.TaskService/GetTask", { nam: task });
    expect(status).toBe(400);
    expect(JSON.stringify(answer)).toContain("nam");
  });
});
