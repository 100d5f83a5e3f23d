import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type InMemoryApi, startApi } from "../../support/in-memory.ts";
import { invalid, refusal } from "../support.ts";
import { applier, type Catalog } from "./catalogs.ts";
import { type KindName, standard } from "./kinds.ts";

let service: InMemoryApi;
beforeAll(async () => {
  service = await startApi();
});
afterAll(() => service[Symbol.asyncDispose]());

describe("a resource in use", () => {
  const hook = {
    name: "h",
    event: 2 as const,
    kind: { case: "http", value: { url: "https://x.y/", secretHeader: "X", secretHeaderKey: "k5" } } as const,
  };
  const T = { app: "sh", repository: "r", path: "x" };
  const login = { case: "loginPassword", value: { login: "", password: "x" } } as const;
  const text = { case: "text", value: { value: "x" } } as const;
  const catalog = (): Catalog => ({
    project: {
      name: "used",
      hooks: [
        {
          ...hook,
          kind: { case: "http", value: { ...hook.kind.value, secretHeaderKey: "k4", urlKey: "k7", url: "" } },
        },
      ],
    },
    accessKeys: [
      ...["k1", "k2", "k3"].map((name) => ({ name, kind: login })),
      ...["k4", "k5", "k6", "k7"].map((name) => ({ name, kind: text })),
    ],
    repositories: [
      { name: "r", url: "/" },
      { name: "r2", url: "https://x.y/z", accessKey: "k1" },
    ],
    inventories: [
      {
        name: "i",
        source: { case: "file", value: { repository: "r2", path: "x" } },
        sshKey: "k2",
        becomeKey: "k3",
      },
    ],
    environments: [{ name: "e" }],
    templates: [
      { ...T, name: "build", type: 2, environment: "e", inventory: "i" },
      {
        ...T,
        name: "deploy",
        type: 3,
        buildTemplate: "build",
        hooks: [hook],
        vaults: [{ source: { case: "key", value: "k6" } }],
      },
    ],
  });
  beforeEach(async () => void (await applier(service).apply(catalog())));

  test.each<[KindName, string, string]>([
    ["accessKeys", "k1", "repositories/r2 uses it as access_key"],
    ["accessKeys", "k2", "inventories/i uses it as ssh_key"],
    ["accessKeys", "k3", "inventories/i uses it as become_key"],
    ["accessKeys", "k4", "used uses it as hooks[0].http.secret_header_key"],
    ["accessKeys", "k5", "templates/deploy uses it as hooks[0].http.secret_header_key"],
    ["accessKeys", "k7", "used uses it as hooks[0].http.url_key"],
    ["accessKeys", "k6", "templates/deploy uses it as vaults[0].key"],
    ["repositories", "r", "templates/build uses it as repository"],
    ["repositories", "r2", "inventories/i uses it as file.repository"],
    ["inventories", "i", "templates/build uses it as inventory"],
    ["environments", "e", "templates/build uses it as environment"],
    ["templates", "build", "templates/deploy uses it as build_template"],
  ])("is not deleted: %s %s", async (kind, id, user) => {
    const deleting = standard(service, kind).delete(`projects/used/${kind}/${id}`);
    expect(await refusal(deleting)).toEqual({
      code: "FailedPrecondition",
      reason: "RESOURCE_IN_USE",
      fields: [],
    });
    await expect(deleting).rejects.toThrow(user);
  });

  test("may be changed if its users still fit; other changes are refused by the field", async () => {
    const templates = standard(service, "templates");
    const name = "projects/used/templates/deploy";
    const changed = await templates.update({ name, vaults: [{ key: "k1" }] });
    expect(changed).toMatchObject({
      vaults: [{ key: "projects/used/accessKeys/k1" }],
      repository: "projects/used/repositories/r",
    });
    expect(await refusal(templates.update({ name, repository: "projects/other/repositories/r" }))).toEqual(
      invalid("template.repository"),
    );
    expect(await refusal(templates.update({ name, inventory: "none" }))).toEqual(
      invalid("template.inventory"),
    );
    expect(await refusal(templates.update({ name }, "path"))).toEqual(invalid("template.path"));
    const inventories = standard(service, "inventories");
    const moved = { name: "projects/used/inventories/i", file: { path: "y" } };
    expect(await inventories.update(moved, "file.path")).toMatchObject({
      file: { repository: "projects/used/repositories/r2", path: "y" },
    });
    expect(
      await refusal(inventories.update({ name: moved.name, file: { path: "../y" } }, "file.path")),
    ).toEqual(invalid("inventory.file.path"));
    expect(await refusal(inventories.update({ name: moved.name }, "file"))).toEqual(invalid("inventory"));
  });
});
