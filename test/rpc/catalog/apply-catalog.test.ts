import type postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EnvironmentService } from "../../../gen/signalman/v1/environment_pb.ts";
import { ProjectService } from "../../../gen/signalman/v1/project_pb.ts";
import { RepositoryService } from "../../../gen/signalman/v1/repository_pb.ts";
import { SurveyType, TemplateService } from "../../../gen/signalman/v1/template_pb.ts";
import { type InMemoryApi, startApi } from "../../support/in-memory.ts";
import { everythingIn, openSql, refusal } from "../support.ts";
import { applier, type Catalog, full, NAMES } from "./catalogs.ts";

let service: InMemoryApi;
let sql: postgres.Sql;
let apply: ReturnType<typeof applier>["apply"];
beforeAll(async () => {
  service = await startApi();
  sql = openSql(service);
  ({ apply } = applier(service));
});
afterAll(async () => {
  await sql.end();
  await service[Symbol.asyncDispose]();
});

describe("a catalog", () => {
  test("creates its resources, and changes nothing when it is applied again", async () => {
    expect(await apply(full("whole"))).toEqual(NAMES.map((name) => `CREATE ${name}`));
    const before = await everythingIn(sql);
    expect(await apply(full("whole"))).toEqual(NAMES.map((name) => `UNCHANGED ${name}`));
    expect(await everythingIn(sql)).toBe(before);
  });

  test("is read back as it was written, with full names", async () => {
    await apply(full("back"));
    const { project } = await service.client(ProjectService).getProject({ name: "projects/back" });
    expect(project).toMatchObject({ name: "projects/back", description: "Everything", maxParallelTasks: 4 });
    const { repository } = await service
      .client(RepositoryService)
      .getRepository({ name: "projects/back/repositories/scripts" });
    expect(repository).toMatchObject({ url: "/srv/scripts", gitBranch: "main" });
    const { environment } = await service
      .client(EnvironmentService)
      .getEnvironment({ name: "projects/back/environments/dev" });
    expect(environment).toMatchObject({
      variables: { a: { x: "x", y: [true, null] }, z: 1 },
      env: { A: "1", B: "2" },
    });
    const { template } = await service
      .client(TemplateService)
      .getTemplate({ name: "projects/back/templates/hello" });
    expect(template).toMatchObject({
      ...full("back").templates?.[0],
      name: "projects/back/templates/hello",
      repository: "projects/back/repositories/scripts",
      environment: "projects/back/environments/dev",
      survey: [{ name: "n", type: SurveyType.INT, default: "7" }],
      runTimeout: { seconds: 90n },
    });
  });

  test("may use full or short names and any order of keys, with the same effect", async () => {
    await apply(full("names"));
    const {
      project,
      accessKeys,
      inventories,
      repositories = [],
      environments = [],
      templates = [],
    } = full("names");
    const [template] = templates;
    const spelled: Catalog = {
      project: { ...project, name: "projects/names", etag: "ignored" },
      accessKeys,
      inventories,
      repositories: repositories.map((r) => ({ ...r, name: "projects/names/repositories/scripts" })),
      environments: environments.map((e) => ({
        ...e,
        name: "projects/names/environments/dev",
        variables: { a: { x: "x", y: [true, null] }, z: 1 },
        env: { A: "1", B: "2" },
      })),
      templates: [
        {
          ...template,
          repository: "projects/names/repositories/scripts",
          environment: "projects/names/environments/dev",
        },
      ],
    };
    expect(await apply(spelled)).toEqual(NAMES.map((name) => `UNCHANGED ${name}`));
  });

  test("with one changed field updates one resource, and its etag and update_time", async () => {
    const etags = async () => {
      const { template } = await service
        .client(TemplateService)
        .getTemplate({ name: "projects/etag/templates/hello" });
      const { project } = await service.client(ProjectService).getProject({ name: "projects/etag" });
      return { template, project };
    };
    await apply(full("etag"));
    const before = await etags();
    const catalog = full("etag");
    catalog.templates = [{ ...catalog.templates?.[0], path: "other.sh", allowParallelTasks: false }];
    expect(await apply(catalog)).toEqual([
      "UNCHANGED project",
      "UNCHANGED accessKeys/token",
      "UNCHANGED repositories/scripts",
      "UNCHANGED inventories/hosts",
      "UNCHANGED environments/dev",
      "UPDATE templates/hello allow_parallel_tasks path",
    ]);
    const after = await etags();
    expect(after.template?.path).toBe("other.sh");
    expect(after.template?.etag).not.toBe(before.template?.etag);
    expect(after.template?.updateTime).not.toEqual(before.template?.updateTime);
    expect(after.template?.createTime).toEqual(before.template?.createTime);
    expect(after.project).toEqual(before.project);
  });

  test("does not change the resources of another project", async () => {
    await apply(full("mine"));
    const mine = await service.client(ProjectService).getProject({ name: "projects/mine" });
    await apply({ project: { name: "yours" } }, { prune: true });
    expect(await service.client(ProjectService).getProject({ name: "projects/mine" })).toEqual(mine);
  });
});

describe("a resource that the catalog does not name", () => {
  test("is kept and reported as KEEP, and is deleted with prune", async () => {
    await apply(full("prune"));
    const less: Catalog = { project: full("prune").project, repositories: [{ name: "new", url: "/new" }] };
    expect(await apply(less)).toEqual([
      "UNCHANGED project",
      "KEEP accessKeys/token",
      "CREATE repositories/new",
      "KEEP repositories/scripts",
      "KEEP inventories/hosts",
      "KEEP environments/dev",
      "KEEP templates/hello",
    ]);
    expect(await apply(less, { prune: true })).toEqual([
      "UNCHANGED project",
      "DELETE accessKeys/token",
      "UNCHANGED repositories/new",
      "DELETE repositories/scripts",
      "DELETE inventories/hosts",
      "DELETE environments/dev",
      "DELETE templates/hello",
    ]);
    const gone = service.client(TemplateService).getTemplate({ name: "projects/prune/templates/hello" });
    expect(await refusal(gone)).toMatchObject({ code: "NotFound" });
    const { repositories } = await service
      .client(RepositoryService)
      .listRepositories({ parent: "projects/prune" });
    expect(repositories.map(({ name }) => name)).toEqual(["projects/prune/repositories/new"]);
  });

  test("may be deleted by the same call that removes the template's reference to it", async () => {
    await apply(full("moved"));
    const catalog = full("moved");
    catalog.repositories = [{ name: "elsewhere", url: "/elsewhere" }];
    catalog.environments = [];
    catalog.templates = [{ ...catalog.templates?.[0], repository: "elsewhere", environment: "" }];
    expect(await apply(catalog, { prune: true })).toEqual([
      "UNCHANGED project",
      "UNCHANGED accessKeys/token",
      "CREATE repositories/elsewhere",
      "DELETE repositories/scripts",
      "UNCHANGED inventories/hosts",
      "DELETE environments/dev",
      "UPDATE templates/hello environment repository",
    ]);
  });

  test("has a new etag if it is created again after it was deleted", async () => {
    const etagOf = async () =>
      (await service.client(EnvironmentService).getEnvironment({ name: "projects/again/environments/dev" }))
        .environment?.etag;
    await apply(full("again"));
    const before = await etagOf();
    await apply({ project: { name: "again" } }, { prune: true });
    await apply(full("again"));
    expect(await etagOf()).not.toBe(before);
  });
});
