import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CatalogService } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { startService, type TestService } from "../../support/service.ts";
import { invalid, refusal } from "../support.ts";
import { KINDS, type KindName, standard } from "./kinds.ts";

let service: TestService;
/** Names in the order of their bytes, which differs from the order of some locales. */
const NAMES = ["a", "a-b", "a1", "b", "c0"];
beforeAll(async () => {
  service = await startService();
  for (const project of NAMES) {
    const catalog = {
      project: { name: project },
      accessKeys: NAMES.map((name) => ({ name })),
      inventories: NAMES.map((name) => ({ name, source: { case: "ini", value: "" } as const })),
      repositories: NAMES.map((name) => ({ name, url: "/" })),
      environments: NAMES.map((name) => ({ name })),
      templates: NAMES.map((name) => ({ name, app: "sh", repository: "a", path: "x" })),
    };
    await service.client(CatalogService).applyCatalog({ catalog });
  }
});
afterAll(() => service[Symbol.asyncDispose]());

const inProject = (Object.keys(KINDS) as KindName[]).filter((kind) => kind !== "projects");

describe.each(inProject)("%s", (kind) => {
  const reader = () => standard(service, kind);

  test("are returned by Get; an unknown name answers NOT_FOUND", async () => {
    expect((await reader().get(`projects/b/${kind}/a-b`)).name).toBe(`projects/b/${kind}/a-b`);
    expect(await refusal(reader().get(`projects/b/${kind}/none`))).toMatchObject({
      code: "NotFound",
      reason: "RESOURCE_NOT_FOUND",
    });
    expect(await refusal(reader().get(`projects/none/${kind}/a`))).toMatchObject({ code: "NotFound" });
  });

  test("are listed by name, in pages; an unknown project answers NOT_FOUND", async () => {
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

  test("have page tokens that are valid for their own query only", async () => {
    const { next: pageToken } = await reader().list("projects/b", { pageSize: 1 });
    expect(await refusal(reader().list("projects/a", { pageToken }))).toEqual(invalid("page_token"));
    expect(await refusal(reader().list("projects/b", { pageToken: "garbage" }))).toEqual(
      invalid("page_token"),
    );
    for (const other of inProject.filter((one) => one !== kind)) {
      const listing = standard(service, other).list("projects/b", { pageToken });
      expect(await refusal(listing)).toEqual(invalid("page_token"));
    }
  });
});

test("projects are returned by Get, and listed by name in pages", async () => {
  const projects = standard(service, "projects");
  expect((await projects.get("projects/a-b")).name).toBe("projects/a-b");
  expect(await refusal(projects.get("projects/none"))).toMatchObject({ code: "NotFound" });
  const first = await projects.list("", { pageSize: 3 });
  const second = await projects.list("", { pageSize: 3, pageToken: first.next });
  expect([...first.names, ...second.names]).toEqual(NAMES.map((name) => `projects/${name}`));
  expect(second.next).toBe("");
});
