import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CatalogService } from "../../../../gen/signalman/v1/catalog_service_pb.ts";
import { EnvironmentService } from "../../../../gen/signalman/v1/environment_pb.ts";
import { type Task, TaskPlanSchema } from "../../../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../../../gen/signalman/v1/template_pb.ts";
import { endOf, follow } from "../../../faults/follow.ts";
import { leavesNothing, taskFolder } from "../../../faults/traces.ts";
import { OPEN_TO_CALLERS } from "../../../support/demo.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { needsTerraform } from "./project.ts";

const TOKEN = "s3cret-token-of-the-plan";
/** Configuration whose apply prints its inputs, of the token only the hash. */
const EPHEMERAL = (out: string) => `
variable "token" {
  type      = string
  ephemeral = true
  sensitive = true
}
variable "size" { default = "1" }
variable "name" {
  default   = "none"
  ephemeral = true
}
resource "terraform_data" "told" {
  input = var.size
  provisioner "local-exec" {
    command     = "echo $SIZE $NAME $(printf %s $TOKEN | sha256sum | cut -c1-8) >>${out}"
    environment = { SIZE = var.size, NAME = var.name, TOKEN = var.token }
  }
}
`;
const hash = (text: string) => execFileSync("sha256sum", { input: text }).toString().slice(0, 8);

let service: TestService;
let root: string;
const told = () =>
  execFileSync("sh", ["-c", "cat told 2>/dev/null; rm -f told"], { cwd: root }).toString().trim();

beforeAll(async () => {
  service = await startService();
  root = mkdtempSync(join(tmpdir(), "signalman-tfvars-"));
  for (const folder of ["ephemeral", "region"]) mkdirSync(join(root, folder));
  writeFileSync(join(root, "ephemeral/main.tf"), EPHEMERAL(join(root, "told")));
  writeFileSync(join(root, "ephemeral/token.tfvars"), `token = "${TOKEN}"\n`);
  const region = 'variable "region" {}\noutput "o" { value = format("in %s", var.region) }\n';
  writeFileSync(join(root, "region/main.tf"), region);
  writeFileSync(join(root, "region/prod.tfvars"), 'region = "from-file"\n');
  const common = { app: "terraform", path: ".", allowOverrideArguments: true, ...OPEN_TO_CALLERS };
  const settings = { case: "terraform", value: { allowAutoApprove: true } } as const;
  const survey = (value: string) => [{ name: "region", default: value }];
  const ephemeral = { ...common, repository: "ephemeral", settings };
  const filed = { ...common, repository: "region", settings, arguments: ["-var-file=prod.tfvars"] };
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "demo" },
      repositories: ["ephemeral", "region"].map((name) => ({ name, url: join(root, name) })),
      environments: [
        { name: "token", secretVariables: { token: TOKEN } },
        { name: "region", variables: { region: "from-environment" } },
      ],
      templates: [
        { ...ephemeral, name: "ephemeral" },
        { ...ephemeral, name: "environment", environment: "token", variables: { size: "2" } },
        { ...ephemeral, name: "file", arguments: ["-var-file", "token.tfvars"] },
        { ...filed, name: "asked", survey: survey(""), environment: "region" },
        { ...filed, name: "defaulted", survey: survey("from-survey") },
      ],
    },
  });
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  if (root) rmSync(root, { recursive: true });
});
beforeEach(needsTerraform);

async function run(template: string, request: object = {}): Promise<Task> {
  const name = `projects/demo/templates/${template}`;
  const { task } = await service.client(TaskService).runTask({ template: name, ...request });
  if (!task) throw new Error("no task");
  return task;
}

async function ended(task: Task) {
  using watcher = follow(service, task.name);
  const end = endOf(await watcher.ended);
  return { ...end, text: watcher.text() };
}

async function planned(template: string, request: object = {}): Promise<Task> {
  const { name } = await run(template, request);
  using watcher = follow(service, name);
  await watcher.reaches("WAITING_CONFIRMATION");
  const { task } = await service.client(TaskService).getTask({ name });
  return task as Task;
}

async function confirm({ name, plan = create(TaskPlanSchema) }: Task): Promise<void> {
  await service.client(TaskService).confirmTask({ name, planDigest: plan.digest });
}

const approved = { params: { case: "terraform", value: { autoApprove: true } } };

describe("ephemeral variables", () => {
  test.each([
    ["a secret of the task", "ephemeral", { secretVariables: { token: TOKEN } }, "1 none"],
    ["a variable of the task", "ephemeral", { variables: { token: TOKEN, name: "n" } }, "1 n"],
    ["a secret of the environment", "environment", {}, "2 none"],
    ["a file among the arguments", "file", { arguments: ["-var", "name=mine"] }, "1 mine"],
  ])(
    "from %s are given to apply again, by auto_approve and after a confirmation",
    async (_, template, request, seen) => {
      expect(await ended(await run(template, { ...request, ...approved }))).toMatchObject({
        status: "SUCCESS",
      });
      expect(told()).toBe(`${seen} ${hash(TOKEN)}`);
      const task = await planned(template, request);
      await confirm(task);
      expect(await ended(task)).toMatchObject({ status: "SUCCESS" });
      expect(told()).toBe(`${seen} ${hash(TOKEN)}`);
    },
  );

  test("have the values of the plan, even if environment and template change and another server applies it", async () => {
    const task = await planned("environment", { variables: { name: "kept" } });
    // Nothing in the task's folder holds the secret while the plan waits.
    const search = () =>
      execFileSync("grep", ["-rlF", TOKEN, taskFolder(service, task), "--exclude-dir=work"]);
    expect(search).toThrow();
    const name = "projects/demo/environments/token";
    const environment = { name, secretVariables: { token: "another-token", size: "7" } };
    await service
      .client(EnvironmentService)
      .updateEnvironment({ environment, updateMask: { paths: ["secret_variables"] } });
    const template = { name: "projects/demo/templates/environment", variables: { size: "3" } };
    await service.client(TemplateService).updateTemplate({ template, updateMask: { paths: ["variables"] } });
    await service.kill("SIGKILL");
    await service.start();
    await confirm(task);
    expect(await ended(task)).toMatchObject({ status: "SUCCESS" });
    expect(told()).toBe(`2 kept ${hash(TOKEN)}`);
    await leavesNothing(service, task);
  });
});

describe("of a variable that is also in a file of the template's arguments,", () => {
  test.each([
    ["the caller's counts", "asked", { variables: { region: "answered" } }, "in answered"],
    ["the caller's secret one counts", "asked", { secretVariables: { region: "answered" } }, "in ***"],
    ["the survey's default counts", "defaulted", {}, "in from-survey"],
    ["the environment's does not", "asked", {}, "in from-file"],
    [
      "the task's own argument counts before all",
      "asked",
      { arguments: ["-var=region=x"], variables: { region: "answered" } },
      "in x",
    ],
  ])("%s", async (_, template, request, shown) => {
    const end = await ended(await run(template, { ...request, ...approved }));
    expect(end).toMatchObject({ status: "SUCCESS", text: expect.stringContaining(shown) });
  });
});
