import type postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProjectService } from "../../../gen/signalman/v1/project_pb.ts";
import { RepositoryService } from "../../../gen/signalman/v1/repository_pb.ts";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../../gen/signalman/v1/template_pb.ts";
import { startService, type TestService } from "../../support/service.ts";
import { watch } from "../../watch/events.ts";
import { everythingIn, invalid, openSql, refusal } from "../support.ts";
import { applier, type Catalog, full, NAMES } from "./catalogs.ts";

let service: TestService;
let sql: postgres.Sql;
let apply: ReturnType<typeof applier>["apply"];
let call: ReturnType<typeof applier>["call"];
beforeAll(async () => {
  service = await startService();
  sql = openSql(service);
  ({ apply, call } = applier(service));
});
afterAll(async () => {
  await sql.end();
  await service[Symbol.asyncDispose]();
});
test("ApplyCatalog with validate_only returns the changes and writes nothing", async () => {
  await apply(full("dry"));
  const before = await everythingIn(sql);
  const catalog: Catalog = { ...full("dry"), environments: [{ name: "prod" }], templates: [] };
  expect(await apply(catalog, { validateOnly: true, prune: true })).toEqual([
    "UNCHANGED project",
    "UNCHANGED accessKeys/token",
    "UNCHANGED repositories/scripts",
    "UNCHANGED inventories/hosts",
    "DELETE environments/dev",
    "CREATE environments/prod",
    "DELETE templates/hello",
  ]);
  expect(await apply(full("not-there"), { validateOnly: true })).toEqual(
    NAMES.map((name) => `CREATE ${name}`),
  );
  expect(await everythingIn(sql)).toBe(before);
});

describe("a template's reference to a resource that will not exist", () => {
  const field = (name: string) => `catalog.templates[1].${name}`;
  const withTemplate = (template: object): Catalog => ({
    ...full("refer"),
    templates: [
      ...(full("refer").templates ?? []),
      { name: "t", app: "sh", repository: "scripts", path: "x", ...template },
    ],
  });

  test("is refused by its path in the catalog, and nothing is written", async () => {
    const before = await everythingIn(sql);
    const catalog = withTemplate({ repository: "none", environment: "none" });
    expect(await refusal(call(catalog))).toEqual(invalid(field("repository"), field("environment")));
    expect(await refusal(call(catalog, { validateOnly: true }))).toEqual(
      invalid(field("repository"), field("environment")),
    );
    expect(await everythingIn(sql)).toBe(before);
  });

  test("is accepted if the resource is stored already, and refused if prune would delete it", async () => {
    await apply({ project: { name: "refer" }, repositories: [{ name: "old", url: "/old" }] });
    const catalog = withTemplate({ repository: "old" });
    expect(await apply(catalog, { validateOnly: true })).toContain("CREATE templates/t");
    expect(await refusal(call(catalog, { prune: true }))).toEqual(invalid(field("repository")));
  });
});

describe("a template whose tasks have not ended", () => {
  test("is not deleted by prune, and nothing else of the catalog is written", async () => {
    // The task waits for ever, since another task of its project is always active.
    await apply({ ...full("busy"), project: { name: "busy", maxParallelTasks: 1 } });
    await sql`
      INSERT INTO tasks (id, project, template, app, status, priority, labels, spec, create_time, node, lease_expires)
      VALUES (uuid_v7(now()), 'busy', 'x', 'sh', 'RUNNING', 50, '{}', '{}', now(), gen_random_uuid(), now() + interval '1 h')`;
    const { task } = await service.client(TaskService).runTask({ template: "projects/busy/templates/hello" });
    const before = await everythingIn(sql);
    const pruning = call({ project: { name: "busy" } }, { prune: true });
    expect(await refusal(pruning)).toEqual({
      code: "FailedPrecondition",
      reason: "RESOURCE_IN_USE",
      fields: [],
    });
    expect(await everythingIn(sql)).toBe(before);
    const ended = watch(service, { name: task?.name });
    await service.client(TaskService).killTask({ name: task?.name });
    await ended.done;
    expect(await apply({ project: { name: "busy" } }, { prune: true })).toContain("DELETE templates/hello");
    expect((await service.client(TaskService).getTask({ name: task?.name })).task?.template).toBe(
      "projects/busy/templates/hello",
    );
  });
});

test("of two catalogs that are applied at the same moment, one is applied whole and the other is refused", async () => {
  const variant = (kind: string): Catalog => ({
    project: { name: "race", description: kind },
    repositories: [
      { name: "shared", url: `/${kind}` },
      { name: kind, url: "/x" },
    ],
    environments: [{ name: kind }],
    templates: [
      { name: "shared", app: "sh", repository: kind, environment: kind, path: kind },
      { name: kind, app: "sh", repository: "shared", path: kind },
    ],
  });
  const read = async () => {
    const parent = "projects/race";
    const { project } = await service.client(ProjectService).getProject({ name: parent });
    const { repositories } = await service.client(RepositoryService).listRepositories({ parent });
    const { templates } = await service.client(TemplateService).listTemplates({ parent });
    const urls = repositories.map(({ name, url }) => `${name.split("/").at(-1)} ${url}`);
    return [
      project?.description,
      ...urls,
      ...templates.map(({ name, path }) => `${name.split("/").at(-1)} ${path}`),
    ];
  };
  for (let round = 0; round < 5; round++) {
    await Promise.all(
      ["left", "right", "left", "right"].map((kind) => apply(variant(kind), { prune: true })),
    );
    const state = await read();
    const kind = state[0] ?? "";
    expect(state).toEqual([kind, `${kind} /x`, `shared /${kind}`, `${kind} ${kind}`, `shared ${kind}`]);
  }
});

test("a catalog of maximum size is applied whole, and changes nothing when it is applied again", async () => {
  const thousand = <T>(make: (id: string) => T) => Array.from({ length: 1000 }, (_, at) => make(`n${at}`));
  const catalog: Catalog = {
    project: { name: "big" },
    accessKeys: thousand((name) => ({ name, kind: { case: "text", value: { value: name } } as const })),
    repositories: thousand((name) => ({ name, url: "https://example.org/x", accessKey: name })),
    inventories: thousand((name) => ({ name, source: { case: "ini", value: "localhost" } as const })),
    environments: thousand((name) => ({ name, secretVariables: { SECRET: name } })),
    templates: thousand((name) => ({ name, app: "sh", repository: name, environment: name, path: "x" })),
  };
  const first = await apply(catalog);
  expect(first.filter((change) => change.startsWith("CREATE"))).toHaveLength(5001);
  const second = await apply(catalog);
  expect(second.filter((change) => change.startsWith("UNCHANGED"))).toHaveLength(5001);
}, 120_000);
