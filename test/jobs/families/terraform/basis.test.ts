import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { EnvironmentService } from "../../../../gen/signalman/v1/environment_pb.ts";
import { InventoryService } from "../../../../gen/signalman/v1/inventory_pb.ts";
import type { Task } from "../../../../gen/signalman/v1/task_pb.ts";
import { type TemplateSchema, TemplateService } from "../../../../gen/signalman/v1/template_pb.ts";
import { endOf, follow } from "../../../faults/follow.ts";
import { leavesNothing } from "../../../faults/traces.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { makeProject, needsTerraform, type TerraformProject } from "./project.ts";

/** Changes of a template, an environment and an inventory while a plan waits. */

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service?.[Symbol.asyncDispose]());
beforeEach(needsTerraform);

const [BEFORE, AFTER] = ["before-in-secret", "after-in-secret"];

/** Creates a project whose applied plan prints where and with which inputs it was applied. */
async function telling(name: string): Promise<TerraformProject> {
  const project = await makeProject(service, { allowDestroy: true }, { project: name });
  await writeFile(
    join(project.folder, "files/infra/told.tf"),
    `resource "terraform_data" "telling" {
       provisioner "local-exec" {
         command = "basename $PWD >${project.folder}/seen; echo $STAGE $LATE $(printenv TOKEN | sha256sum) >>${project.folder}/seen"
       }
     }`,
  );
  const { createEnvironment } = service.client(EnvironmentService);
  for (const [id, value] of [
    ["staging", BEFORE],
    ["production", "of-production"],
  ] as const) {
    const environment = { env: { STAGE: id }, secretEnv: { TOKEN: value } };
    await createEnvironment({ parent: `projects/${name}`, environmentId: id, environment });
  }
  await change(name, { environment: `projects/${name}/environments/staging` });
  return project;
}

async function change(
  project: string,
  template: MessageInitShape<typeof TemplateSchema>,
  paths = Object.keys(template),
) {
  const named = { ...template, name: `projects/${project}/templates/infra` };
  await service.client(TemplateService).updateTemplate({ template: named, updateMask: { paths } });
}

async function endAfter(project: TerraformProject, task: Task) {
  using watcher = follow(service, task.name);
  await project.confirm(task);
  return endOf(await watcher.ended);
}

const seen = async ({ folder }: TerraformProject) =>
  (await readFile(join(folder, "seen"), "utf8")).trim().split("\n");

async function sha256(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Buffer.from(hash).toString("hex");
}

test("a plan is applied with the folder, arguments and environment of the plan, even if the template has changed; secrets are read anew", async () => {
  await using project = await telling("kept");
  await change("kept", { env: { LATE: "no" } });
  const task = await project.planned();
  await change(
    "kept",
    {
      path: ".",
      env: { LATE: "yes", TF_WORKSPACE: "elsewhere" },
      settings: {
        case: "terraform",
        value: {
          backend: { type: "local", config: { path: join(project.folder, "elsewhere.tfstate") } },
          stageArguments: { apply: { arguments: ["-no-such-argument"] } },
        },
      },
      inventory: await workspace("kept", "elsewhere"),
    },
    ["path", "env", "terraform", "inventory"],
  );
  await service.client(EnvironmentService).updateEnvironment({
    environment: {
      name: "projects/kept/environments/staging",
      env: { STAGE: "changed", TF_CLI_ARGS: "-no-such-argument" },
      secretEnv: { TOKEN: AFTER },
    },
    updateMask: { paths: ["env", "secret_env"] },
  });
  expect(await endAfter(project, task)).toMatchObject({ status: "SUCCESS" });
  expect(await seen(project)).toEqual(["infra", `staging no ${await sha256(`${AFTER}\n`)} -`]);
  expect(await project.applied()).toMatchObject({ quick: "one" });
});

test("a plan made with the secrets of another environment is refused as stale", async () => {
  await using project = await telling("switched");
  const task = await project.planned();
  await change("switched", { environment: "projects/switched/environments/production" });
  expect(await endAfter(project, task)).toMatchObject({
    status: "ERROR",
    reason: "PREPARE_FAILED",
    message: expect.stringContaining(
      "made with the secrets of projects/switched/environments/staging, and its template now names projects/switched/environments/production",
    ),
  });
  expect(await project.applied()).toEqual({});
  await leavesNothing(service, task);
});

test("a plan made with a secret that no longer exists is refused as stale", async () => {
  await using project = await telling("gone");
  const task = await project.planned();
  await service.client(EnvironmentService).updateEnvironment({
    environment: { name: "projects/gone/environments/staging", secretEnv: { OTHER: "other-value" } },
    updateMask: { paths: ["secret_env"] },
  });
  expect(await endAfter(project, task)).toMatchObject({
    reason: "PREPARE_FAILED",
    message: expect.stringContaining(
      "made with the secret TOKEN of projects/gone/environments/staging, which no longer exists",
    ),
  });
  expect(await project.applied()).toEqual({});
});

test("a plan that its template no longer allows is refused, and a template with a waiting plan cannot be deleted", async () => {
  await using project = await telling("withdrawn");
  const first = await project.planned();
  expect(await endAfter(project, first)).toMatchObject({ status: "SUCCESS" });
  const destroying = await project.planned({ params: { case: "terraform", value: { destroy: true } } });
  await change("withdrawn", { settings: { case: "terraform", value: { allowDestroy: false } } }, [
    "terraform.allow_destroy",
  ]);
  expect(await endAfter(project, destroying)).toMatchObject({
    reason: "PREPARE_FAILED",
    message: expect.stringContaining("terraform.destroy"),
  });
  expect(await project.applied()).toMatchObject({ quick: "one" });
  const waiting = await project.planned({ variables: { name: "waits" } });
  const name = "projects/withdrawn/templates/infra";
  await expect(service.client(TemplateService).deleteTemplate({ name })).rejects.toThrow(
    `${waiting.name} has not ended`,
  );
});

async function workspace(project: string, name: string): Promise<string> {
  await service.client(InventoryService).createInventory({
    parent: `projects/${project}`,
    inventoryId: name,
    inventory: { source: { case: "workspace", value: name } },
  });
  return `projects/${project}/inventories/${name}`;
}
