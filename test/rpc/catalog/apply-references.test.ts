import { afterAll, beforeAll, expect, test } from "vitest";
import { HookEvent } from "../../../gen/signalman/v1/hook_pb.ts";
import { TemplateService, TemplateType } from "../../../gen/signalman/v1/template_pb.ts";
import { type InMemoryApi, startApi } from "../../support/in-memory.ts";
import { keyLike } from "../../support/private-key.ts";
import { invalid, refusal } from "../support.ts";
import { applier, type Catalog } from "./catalogs.ts";

let service: InMemoryApi;
let call: ReturnType<typeof applier>["call"];
beforeAll(async () => {
  service = await startApi();
  ({ call } = applier(service));
});
afterAll(() => service[Symbol.asyncDispose]());

const SECRET = "hunter2-hunter2";
const calling = (secretHeaderKey: string) => ({
  name: "call",
  event: HookEvent.AFTER_TASK,
  kind: {
    case: "http",
    value: { url: "https://example.org/", secretHeader: "Authorization", secretHeaderKey },
  } as const,
});
const callingAt = (urlKey: string) => ({
  ...calling("token"),
  kind: { case: "http", value: { urlKey } } as const,
});
const T = { app: "sh", repository: "scripts", path: "x" };

/** Returns a catalog in which every resource has all references that it may have. */
const right = (): Catalog & { templates: object[]; repositories: object[]; inventories: object[] } => ({
  project: { name: "refer", hooks: [calling("token"), { ...callingAt("token"), name: "at" }] },
  accessKeys: [
    { name: "deploy", kind: { case: "ssh", value: { privateKey: keyLike(SECRET) } } },
    { name: "login", kind: { case: "loginPassword", value: { login: "ada", password: SECRET } } },
    { name: "token", kind: { case: "text", value: { value: SECRET } } },
    { name: "nothing" },
  ],
  repositories: [
    { name: "scripts", url: "/srv" },
    { name: "far", url: "git@example.org:x.git", accessKey: "deploy" },
    { name: "web", url: "https://example.org/x.git", accessKey: "token" },
  ],
  inventories: [
    {
      name: "hosts",
      source: { case: "file", value: { repository: "far", path: "hosts" } },
      sshKey: "deploy",
      becomeKey: "login",
    },
    { name: "prod", source: { case: "workspace", value: "prod" } },
  ],
  templates: [
    {
      ...T,
      name: "play",
      app: "ansible",
      inventory: "hosts",
      vaults: [{ source: { case: "key", value: "login" } }],
      settings: { case: "ansible", value: { tags: ["a"] } },
    },
    { ...T, name: "plan", app: "tofu", inventory: "prod", settings: { case: "terraform", value: {} } },
    { ...T, name: "build", type: TemplateType.BUILD },
    { ...T, name: "deploy", type: TemplateType.DEPLOY, buildTemplate: "build", hooks: [calling("token")] },
  ],
});

test("references are stored and returned as full names", async () => {
  await call(right());
  const { template } = await service
    .client(TemplateService)
    .getTemplate({ name: "projects/refer/templates/play" });
  expect(template).toMatchObject({
    inventory: "projects/refer/inventories/hosts",
    vaults: [{ source: { case: "key", value: "projects/refer/accessKeys/login" } }],
  });
});

const replaced = <T>(list: T[], index: number, change: object) =>
  list.map((item, at) => (at === index ? { ...item, ...change } : item));
const templateWith = (index: number, change: object): Catalog => ({
  ...right(),
  templates: replaced(right().templates, index, change),
});
const inventoryWith = (change: object): Catalog => ({
  ...right(),
  inventories: replaced(right().inventories, 0, change),
});
const repositoryWith = (index: number, change: object): Catalog => ({
  ...right(),
  repositories: replaced(right().repositories, index, change),
});
const keyedVault = (value: string) => ({ vaults: [{ source: { case: "key", value } }] });

test.each<[string, string, Catalog]>([
  [
    "a project's hook with no key",
    "project.hooks[0].http.secret_header_key",
    { ...right(), project: { name: "refer", hooks: [calling("none")] } },
  ],
  [
    "a project's hook with a login",
    "project.hooks[0].http.secret_header_key",
    { ...right(), project: { name: "refer", hooks: [calling("login")] } },
  ],
  [
    "a project's hook with no key for its URL",
    "project.hooks[0].http.url_key",
    { ...right(), project: { name: "refer", hooks: [callingAt("none")] } },
  ],
  [
    "a template's hook with a login for its URL",
    "templates[3].hooks[0].http.url_key",
    templateWith(3, { hooks: [callingAt("login")] }),
  ],
  ["a repository with no key", "repositories[1].access_key", repositoryWith(1, { accessKey: "none" })],
  ["SSH with a token", "repositories[1].access_key", repositoryWith(1, { accessKey: "token" })],
  ["HTTP with an SSH key", "repositories[2].access_key", repositoryWith(2, { accessKey: "deploy" })],
  [
    "an inventory of no repository",
    "inventories[0].file.repository",
    inventoryWith({ source: { case: "file", value: { repository: "none", path: "x" } } }),
  ],
  ["an inventory with a token", "inventories[0].ssh_key", inventoryWith({ sshKey: "token" })],
  ["an inventory that becomes by SSH", "inventories[0].become_key", inventoryWith({ becomeKey: "deploy" })],
  ["a template with no inventory", "templates[2].inventory", templateWith(2, { inventory: "none" })],
  ["Ansible without an inventory", "templates[0].inventory", templateWith(0, { inventory: "" })],
  ["Ansible in a workspace", "templates[0].inventory", templateWith(0, { inventory: "prod" })],
  ["OpenTofu with hosts", "templates[1].inventory", templateWith(1, { inventory: "hosts" })],
  ["a vault with no key", "templates[0].vaults[0].key", templateWith(0, keyedVault("none"))],
  ["a vault with an SSH key", "templates[0].vaults[0].key", templateWith(0, keyedVault("deploy"))],
  [
    "weakness 23: a vault with a key that holds nothing",
    "templates[0].vaults[0].key",
    templateWith(0, keyedVault("nothing")),
  ],
  ["a deploy of no build", "templates[3].build_template", templateWith(3, { buildTemplate: "none" })],
  [
    "a deploy of what builds nothing",
    "templates[3].build_template",
    templateWith(3, { buildTemplate: "play" }),
  ],
  [
    "a template's hook with a login",
    "templates[3].hooks[0].http.secret_header_key",
    templateWith(3, { hooks: [calling("login")] }),
  ],
  [
    "Ansible's settings for a shell",
    "templates[2].ansible",
    templateWith(2, { settings: { case: "ansible", value: {} } }),
  ],
  [
    "Terraform's settings for Ansible",
    "templates[0].terraform",
    templateWith(0, { settings: { case: "terraform", value: {} } }),
  ],
])("%s is refused by its path", async (_, field, catalog) => {
  expect(await refusal(call(catalog, { validateOnly: true }))).toEqual(invalid(`catalog.${field}`));
});

test("a key in use keeps the type that its users need, also if the catalog names only the key", async () => {
  await call(right());
  const accessKeys = [{ name: "deploy", kind: { case: "text", value: { value: SECRET } } as const }];
  const change = call({ project: right().project, accessKeys });
  expect(await refusal(change)).toEqual(invalid("catalog.access_keys[0]", "catalog.access_keys[0]"));
  await expect(change).rejects.toThrow(
    /must be of type ssh, as projects\/refer\/repositories\/far \(access_key\) uses it/,
  );
});
