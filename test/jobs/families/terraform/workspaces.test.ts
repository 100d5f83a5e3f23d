import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { CatalogService } from "../../../../gen/signalman/v1/catalog_service_pb.ts";
import { TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { endOf, follow } from "../../../faults/follow.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { needsTerraform } from "./project.ts";

let service: TestService;
let root: string;
let backend: Server;
let state: Buffer | undefined;

beforeAll(async () => {
  service = await startService();
  root = mkdtempSync(join(tmpdir(), "signalman-workspaces-"));
  backend = createServer(async (request, response) => {
    if (request.method === "POST") state = await buffer(request);
    response.writeHead(state ? 200 : 404).end(request.method === "GET" ? state : undefined);
  }).listen(0, "127.0.0.1");
  await once(backend, "listening");
  // A folder in which another workspace is selected.
  mkdirSync(join(root, ".terraform"));
  writeFileSync(join(root, ".terraform/environment"), "elsewhere");
  writeFileSync(join(root, "main.tf"), 'output "w" { value = format("in %s", terraform.workspace) }\n');
  const address = `http://127.0.0.1:${(backend.address() as AddressInfo).port}/state`;
  const autoApprove = true;
  const kinds = {
    http: { autoApprove, backend: { type: "http", config: { address } } },
    local: { autoApprove },
  };
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "demo" },
      repositories: [{ name: "files", url: root }],
      inventories: ["default", "staging"].map((value) => ({
        name: value,
        source: { case: "workspace", value },
      })),
      templates: Object.entries(kinds).flatMap(([kind, value]) =>
        ["default", "staging"].map((inventory) => ({
          name: `${kind}-${inventory}`,
          app: "terraform",
          repository: "files",
          path: ".",
          inventory,
          settings: { case: "terraform", value },
        })),
      ),
    },
  });
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  backend?.close();
  if (root) rmSync(root, { recursive: true });
});
beforeEach(needsTerraform);

async function run(template: string) {
  const { task } = await service
    .client(TaskService)
    .runTask({ template: `projects/demo/templates/${template}` });
  using watcher = follow(service, task?.name ?? "");
  const end = endOf(await watcher.ended);
  return { ...end, text: watcher.text() };
}

test("the workspace default works with a backend without workspaces; other workspaces are refused there", async () => {
  rmSync(join(root, ".terraform"), { recursive: true });
  expect(await run("http-default")).toMatchObject({
    status: "SUCCESS",
    text: expect.stringContaining("in default"),
  });
  expect(state?.toString()).toContain("in default");
  expect(await run("http-staging")).toMatchObject({
    message: expect.stringContaining("the backend has no workspace but default"),
  });
});

test("the workspace default is selected even if another one was selected before", async () => {
  mkdirSync(join(root, ".terraform"), { recursive: true });
  writeFileSync(join(root, ".terraform/environment"), "staging");
  expect(await run("local-default")).toMatchObject({
    status: "SUCCESS",
    text: expect.stringContaining("in default"),
  });
  expect(await run("local-staging")).toMatchObject({
    status: "SUCCESS",
    text: expect.stringContaining("in staging"),
  });
});

test("a Terraform template with working_dir beside path is refused", async () => {
  const template = { name: "t", app: "terraform", repository: "files", path: ".", workingDir: "x" };
  const applied = service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "other" },
      repositories: [{ name: "files", url: root }],
      templates: [template],
    },
    validateOnly: true,
  });
  await expect(applied).rejects.toThrow(/working_dir.*Not for app "terraform"; set `path`/);
});
