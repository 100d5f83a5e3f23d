import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { EnvironmentService } from "../../gen/signalman/v1/environment_pb.ts";
import { ProjectService } from "../../gen/signalman/v1/project_pb.ts";
import { RepositoryService } from "../../gen/signalman/v1/repository_pb.ts";
import { TemplateService } from "../../gen/signalman/v1/template_pb.ts";
import { startService, type TestService } from "../helpers/service.ts";
import { invalid, refusal } from "./support.ts";

interface Page {
  pageSize?: number;
  pageToken?: string;
}
/** One kind of resource, whatever its RPCs are called. */
interface Reader {
  get(name: string): Promise<string | undefined>;
  list(parent: string, page?: Page): Promise<{ names: string[]; next: string }>;
}

let service: TestService;
/** By name: letters sort otherwise in some languages. */
const NAMES = ["a", "a-b", "a1", "b", "c0"];
beforeAll(async () => {
  service = await startService();
  for (const project of NAMES) {
    const catalog = {
      project: { name: project },
      repositories: NAMES.map((name) => ({ name, url: "/" })),
      environments: NAMES.map((name) => ({ name })),
      templates: NAMES.map((name) => ({ name, app: "sh", repository: "a", path: "x" })),
    };
    await service.client(CatalogService).applyCatalog({ catalog });
  }
});
afterAll(() => service[Symbol.asyncDispose]());

const names = (resources: { name: string }[]) => resources.map(({ name }) => name);
const READERS: Record<string, () => Reader> = {
  repositories: () => {
    const client = service.client(RepositoryService);
    return {
      get: async (name) => (await client.getRepository({ name })).repository?.name,
      async list(parent, page) {
        const { repositories, nextPageToken: next } = await client.listRepositories({ parent, ...page });
        return { names: names(repositories), next };
      },
    };
  },
  environments: () => {
    const client = service.client(EnvironmentService);
    return {
      get: async (name) => (await client.getEnvironment({ name })).environment?.name,
      async list(parent, page) {
        const { environments, nextPageToken: next } = await client.listEnvironments({ parent, ...page });
        return { names: names(environments), next };
      },
    };
  },
  templates: () => {
    const client = service.client(TemplateService);
    return {
      get: async (name) => (await client.getTemplate({ name })).template?.name,
      async list(parent, page) {
        const { templates, nextPageToken: next } = await client.listTemplates({ parent, ...page });
        return { names: names(templates), next };
      },
    };
  },
};

describe.each(Object.keys(READERS))("%s", (kind) => {
  const reader = () => READERS[kind]?.() as Reader;

  test("are got by their name; what is not there is not found", async () => {
    expect(await reader().get(`projects/b/${kind}/a-b`)).toBe(`projects/b/${kind}/a-b`);
    expect(await refusal(reader().get(`projects/b/${kind}/none`))).toMatchObject({
      code: "NotFound",
      reason: "RESOURCE_NOT_FOUND",
    });
    expect(await refusal(reader().get(`projects/none/${kind}/a`))).toMatchObject({ code: "NotFound" });
  });

  test("are listed by name, in pages; those of a project that is not there are not found", async () => {
    const expected = NAMES.map((name) => `projects/b/${kind}/${name}`);
    expect(await reader().list("projects/b")).toEqual({ names: expected, next: "" });
    const seen: string[] = [];
    let next = "";
    do {
      const page = await reader().list("projects/b", { pageSize: 2, pageToken: next });
      seen.push(...page.names);
      next = page.next;
    } while (next);
    expect(seen).toEqual(expected);
    expect((await reader().list("projects/b", { pageSize: 5 })).next).toBe("");
    expect(await refusal(reader().list("projects/none"))).toMatchObject({ code: "NotFound" });
  });

  test("have page tokens that go with their own query only", async () => {
    const { next: pageToken } = await reader().list("projects/b", { pageSize: 1 });
    expect(await refusal(reader().list("projects/a", { pageToken }))).toEqual(invalid("page_token"));
    expect(await refusal(reader().list("projects/b", { pageToken: "garbage" }))).toEqual(
      invalid("page_token"),
    );
    const others = Object.keys(READERS).filter((other) => other !== kind);
    for (const other of others) {
      expect(await refusal(READERS[other]?.().list("projects/b", { pageToken }) as Promise<unknown>)).toEqual(
        invalid("page_token"),
      );
    }
  });
});

test("projects are got by their name and listed by name, in pages", async () => {
  const client = service.client(ProjectService);
  expect((await client.getProject({ name: "projects/a-b" })).project?.name).toBe("projects/a-b");
  expect(await refusal(client.getProject({ name: "projects/none" }))).toMatchObject({ code: "NotFound" });
  const first = await client.listProjects({ pageSize: 3 });
  const second = await client.listProjects({ pageSize: 3, pageToken: first.nextPageToken });
  expect([...names(first.projects), ...names(second.projects)]).toEqual(
    NAMES.map((name) => `projects/${name}`),
  );
  expect(second.nextPageToken).toBe("");
});
