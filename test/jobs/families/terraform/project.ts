import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { TestContext } from "vitest";
import { CatalogService } from "../../../../gen/signalman/v1/catalog_service_pb.ts";
import type { Task } from "../../../../gen/signalman/v1/task_pb.ts";
import { type RunTaskRequestSchema, TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { follow } from "../../../faults/follow.ts";
import { OPEN_TO_CALLERS } from "../../../support/demo.ts";
import type { TestService } from "../../../support/service.ts";

/** Skips a test where there is no Terraform. */
export function needsTerraform({ skip }: Pick<TestContext, "skip">): void {
  if (!runs("terraform"))
    skip("there is no terraform in PATH; https://developer.hashicorp.com/terraform/install");
}

export const hasTerraform = (): boolean => runs("terraform");

/** Skips a test where there is no OpenTofu. */
export function needsTofu({ skip }: Pick<TestContext, "skip">): void {
  if (!runs("tofu")) skip("there is no tofu in PATH; https://opentofu.org/docs/intro/install");
}

function runs(program: string): boolean {
  return spawnSync(program, ["version"], { stdio: "ignore" }).status === 0;
}

/**
 * A configuration with one resource; on request a second one, which prints the password, and a slow one, which creates
 * `busy` and waits for `go`.
 */
const CONFIGURATION = (folder: string) => `
variable "name" {
  default = "one"
}
variable "password" {
  default   = ""
  sensitive = true
}
resource "terraform_data" "quick" {
  input = var.name
}
resource "terraform_data" "told" {
  count = fileexists("${folder}/told") ? 1 : 0
  input = nonsensitive(var.password)
}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.quick]
  count      = fileexists("${folder}/slow") ? 1 : 0
  provisioner "local-exec" {
    command = "echo begun >>${folder}/busy; until [ -e ${folder}/go ]; do sleep 0.02; done"
  }
}
`;

/** A project with one Terraform template, whose state is in a folder of the test. */
export interface TerraformProject extends AsyncDisposable {
  readonly folder: string;
  readonly state: string;
  run(request?: MessageInitShape<typeof RunTaskRequestSchema>, template?: string): Promise<Task>;
  /** Runs until the plan waits; returns the task as it is then. */
  planned(request?: MessageInitShape<typeof RunTaskRequestSchema>): Promise<Task>;
  confirm(task: Task, digest?: string): Promise<Task>;
  get(task: Task): Promise<Task>;
  /** Inputs of the resources in the state, by address; none: there is no state. */
  applied(): Promise<Record<string, unknown>>;
  /** Makes the second resource part of the configuration. */
  slowDown(): Promise<void>;
  isBusy(): boolean;
  speedUp(): Promise<void>;
}

interface Settings {
  autoApprove?: boolean;
  allowAutoApprove?: boolean;
  allowDestroy?: boolean;
  stageArguments?: Record<string, { arguments: string[] }>;
}

export async function makeProject(
  service: Pick<TestService, "client">,
  settings: Settings = {},
  place: { project?: string; state?: string; app?: string; allowOverrideArguments?: boolean } = {},
): Promise<TerraformProject> {
  const folder = await mkdtemp(join(tmpdir(), "signalman-terraform-"));
  const state = place.state ?? join(folder, "state.tfstate");
  const name = place.project ?? "demo";
  const files = join(folder, "files");
  await mkdir(join(files, "infra"), { recursive: true });
  await writeFile(join(files, "infra", "main.tf"), CONFIGURATION(folder));
  await writeFile(join(files, "other.sh"), "echo other\n");
  await writeFile(
    join(files, "hold.sh"),
    `echo >${folder}/holds; until [ -e ${folder}/free ]; do sleep 0.02; done\n`,
  );
  const backend = { type: "local", config: { path: state } };
  const common = { repository: "files", ...OPEN_TO_CALLERS };
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: name },
      repositories: [{ name: "files", url: files }],
      templates: [
        {
          ...common,
          name: "infra",
          app: place.app ?? "terraform",
          path: "infra",
          allowOverrideArguments: place.allowOverrideArguments ?? false,
          settings: { case: "terraform", value: { backend, ...settings } },
        },
        { ...common, name: "other", app: "sh", path: "other.sh" },
        { ...common, name: "hold", app: "sh", path: "hold.sh" },
      ],
    },
  });
  const tasks = service.client(TaskService);
  const taken = (task: Task | undefined): Task => {
    if (!task) throw new Error("no task");
    return task;
  };
  const project: TerraformProject = {
    folder,
    state,
    async run(request = {}, template = "infra") {
      return taken(
        (await tasks.runTask({ template: `projects/${name}/templates/${template}`, ...request })).task,
      );
    },
    async planned(request) {
      const task = await project.run(request);
      using watcher = follow(service, task.name);
      await watcher.reaches("WAITING_CONFIRMATION");
      return project.get(task);
    },
    async confirm(task, digest = task.plan?.digest ?? "") {
      return taken((await tasks.confirmTask({ name: task.name, planDigest: digest })).task);
    },
    get: async ({ name }) => taken((await tasks.getTask({ name })).task),
    async applied() {
      if (!existsSync(state)) return {};
      const { resources } = JSON.parse(await readFile(state, "utf8")) as {
        resources: { name: string; instances: { attributes: { input: { value: unknown } | string } }[] }[];
      };
      return Object.fromEntries(
        resources.map(({ name, instances }) => [name, plainValue(instances[0]?.attributes.input)]),
      );
    },
    slowDown: () => writeFile(join(folder, "slow"), ""),
    isBusy: () => existsSync(join(folder, "busy")),
    speedUp: () => writeFile(join(folder, "go"), ""),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
  return project;
}

const plainValue = (input: unknown) =>
  typeof input === "object" && input !== null && "value" in input ? input.value : input;
