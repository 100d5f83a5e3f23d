import { createHash } from "node:crypto";
import { closeSync, createReadStream, existsSync, type ReadStream, readSync } from "node:fs";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { makeFolder, removeFile, writeNew } from "../../../files/owned.ts";
import { openRegular, readRegular } from "../../../files/regular-file.ts";
import type { AccessKey } from "../../../keys/access-key.ts";
import { carry } from "../../../process/carried-environment.ts";
import type { ProgramSpec } from "../../../process/wrapper.ts";
import { PrepareError } from "../../../task/errors.ts";
import type { Plan } from "../../../task/types.ts";
import type { Apps } from "../../apps/app.ts";
import { lastingGitEnvironment } from "../../executors/local/git-environment.ts";
import type { TaskFolder } from "../../executors/local/task-folder.ts";
import { reasonOf } from "../../executors/local/workspace.ts";
import type { FoundPlan } from "../../job.ts";
import { commandOf, type Family, type Site } from "../family.ts";
import { assertPath, type ScriptInput } from "../script.ts";
import { writeBackend, writeVariables } from "./files.ts";
import { terraformHook } from "./hook.ts";
import { warnOfLostState } from "./lost-state.ts";
import { readOutputs } from "./outputs.ts";
import {
  checkTerraformInventory,
  checkTerraformTemplate,
  detours,
  TERRAFORM_OVERRIDES,
  terraformSettings,
} from "./request.ts";
import { type TerraformInput, terraformEnvironment, terraformStages } from "./terraform.ts";
import { type BasisInput, basisOf, onBasis } from "./terraform-basis.ts";
import { countChanges } from "./terraform-counts.ts";
import {
  applyScript,
  type DriverFiles,
  driverScript,
  type Progress,
  readProgress,
  type StageCommand,
} from "./terraform-driver.ts";

export type TerraformFamilyInput = TerraformInput &
  ScriptInput &
  BasisInput & {
    template: { app: string };
    repositoryKey: AccessKey;
    inventory?: { name: string; source: { case?: string; value?: unknown } };
  };

const apps: Apps = {
  terraform: { command: "terraform", args: [] },
  tofu: { command: "tofu", args: [] },
  // Arguments after `--` are passed to Terraform, whose output is forwarded unchanged.
  terragrunt: {
    command: "terragrunt",
    args: ["run", "--"],
    env: { TG_TF_PATH: "terraform", TG_NON_INTERACTIVE: "true", TG_TF_FORWARD_STDOUT: "true" },
  },
};

/**
 * The family of Terraform, OpenTofu and Terragrunt. A task has two programs, each a shell script that terraform-driver.ts
 * writes. The first runs `init`, selects the workspace, makes a plan and shows it. Unless the plan is empty, only planned, or
 * approved in advance, the task then waits for a person. The second program applies exactly that plan file, whose SHA-256
 * digest was stored with the task.
 *
 * Beside the plan lies its basis (terraform-basis.ts): arguments and environment that it was made with, so that changes of
 * the template while the plan waits have no effect. Secrets are not kept there but read again. Variables are passed in files
 * (files.ts), never on the command line. The script records each finished stage in a file, which `result` reads.
 */
export const terraformFamily = {
  apps,
  // Longer than for other families: Terraform has to save its state.
  graceMs: 30_000,
  hook: terraformHook,
  settings: terraformSettings,
  overrides: TERRAFORM_OVERRIDES,
  checkAsked: detours,
  checkTemplate: checkTerraformTemplate,
  checkInventory: checkTerraformInventory,
  // Terraform saves its state and releases its lock on SIGINT.
  politeSignal: "SIGINT",
  async prepare(site, signal) {
    const { input, folder } = site;
    const { command, cwd, env } = callOf(site);
    if (!existsSync(folder.plan)) makeFolder(folder.plan, folder.owner);
    const files = {
      plan: inPlan(folder, PLAN),
      ...(await writeVariables(site)),
      backend: await writeBackend(site, cwd),
    };
    const stages = terraformStages(site.app, input, files, workspaceOf(input));
    const fetching = await lastingGitEnvironment(site, signal);
    await warnOfLostState(site, cwd);
    const { planOnly, autoApprove } = input.terraform;
    const next = planOnly ? "end" : autoApprove ? "apply" : "confirm";
    writeNew(inPlan(folder, BASIS), basisOf(input), folder.owner);
    return writeScript(site, "driver.sh", { command, cwd, env }, (program, files) =>
      driverScript(program, stages, files, next, fetching),
    );
  },
  async result(folder, { hasSucceeded, confirmed, mask }) {
    const { hasPlanned, hasChanges, hasApplied } = await readStages(folder);
    if (!hasPlanned) return undefined;
    const none = { add: 0, change: 0, destroy: 0 };
    const { add, change, destroy } = hasChanges ? await readCounts(folder) : none;
    const applied = hasApplied || (confirmed && hasSucceeded);
    return {
      terraform: { added: add, changed: change, destroyed: destroy, applied, hasChanges },
      ...readOutputs(driverFiles(folder).outputs, mask, folder.owner),
    };
  },
  planning: {
    async waitingPlan(folder) {
      const { waits } = await readStages(folder);
      return waits ? readPlan(folder) : undefined;
    },
    apply,
  },
} satisfies Family<TerraformFamilyInput>;

async function apply(site: Omit<Site<TerraformFamilyInput>, "commit">, digest: string): Promise<ProgramSpec> {
  const { app, folder } = site;
  const plan = inPlan(folder, PLAN);
  const because = (what: string) => (cause: unknown) => {
    throw new PrepareError(`Cannot apply the plan ${digest}: ${what}: ${reasonOf(cause)}; ${NEW_PLAN}`, {
      cause,
    });
  };
  const gone = because("it is no longer on this machine");
  const found = await digestOf(folder).catch(gone);
  if (found !== digest)
    throw new PrepareError(
      `Cannot apply the plan ${digest}: its file was changed and now has the digest ${found}; ${NEW_PLAN}`,
    );
  await access(folder.work).catch(gone);
  // The basis is also missing if an earlier release, which stored none, made the plan.
  const unknown = because("the record of its inputs cannot be read");
  const basis = await readBasis(folder).catch(unknown);
  const input = onBasis(site.input, basis);
  const { command, cwd, env } = callOf({ ...site, input });
  const { isEphemeral } = await readStages(folder);
  const variables = isEphemeral ? await writeVariables({ ...site, input }) : { variables: [], answers: [] };
  const stages = terraformStages(app, input, { plan, ...variables, backend: undefined }, undefined);
  // An earlier server may have written the script before it stopped.
  removeFile(inPlan(folder, "apply.sh"));
  return writeScript(site, "apply.sh", { command, cwd, env }, (program, files) =>
    applyScript(program, stages, files, isEphemeral),
  );
}

const NEW_PLAN = "run the template again for a new plan";

async function writeScript(
  { folder, base }: Pick<Site<TerraformFamilyInput>, "folder" | "base">,
  name: string,
  { command, cwd, env }: { command: string; cwd: string; env: Record<string, string> },
  text: (program: StageCommand, files: DriverFiles) => string,
): Promise<ProgramSpec> {
  const { variables, restore } = carry({ ...env, PWD: cwd });
  const script = inPlan(folder, name);
  writeNew(script, text({ restore, command }, driverFiles(folder)), folder.owner);
  return { command: "/bin/sh", args: [script], cwd, env: { PATH: base.PATH, ...variables } };
}

const PLAN = "plan";
const BASIS = "basis.json";
const inPlan = (folder: TaskFolder, name: string) => join(folder.plan, name);

function callOf({ input, app, folder, base }: Omit<Site<TerraformFamilyInput>, "commit">) {
  assertPath(folder.work, input, "folder");
  const env = terraformEnvironment(app, input, base);
  const command = commandOf(app, input.template.app, env.PATH);
  return { command, env, cwd: join(folder.work, input.template.path) };
}

function driverFiles(folder: TaskFolder): DriverFiles {
  const at = (name: string) => inPlan(folder, name);
  return {
    stages: at("stages"),
    planJson: at("plan.json"),
    planText: at("plan.txt"),
    outputs: at("outputs.json"),
  };
}

function workspaceOf({ template, inventory }: TerraformFamilyInput): string | undefined {
  if (!inventory) return undefined;
  const { source } = inventory;
  if (source.case === "workspace") return String(source.value);
  throw new PrepareError(`Cannot run ${template.path} in ${inventory.name}: it is not a workspace`);
}

async function readBasis(folder: TaskFolder): Promise<string> {
  const path = inPlan(folder, BASIS);
  return (readRegular(path, { maxBytes: MAX_BASIS, owner: folder.owner }) ?? missing(path)).toString("utf8");
}

/** Largest size of a basis in bytes: arguments, environment and settings of one task. */
const MAX_BASIS = 64 * 1024 * 1024;

async function readStages(folder: TaskFolder): Promise<Progress> {
  const { stages } = driverFiles(folder);
  return readProgress(String(readRegular(stages, { maxBytes: MAX_STAGES, owner: folder.owner }) ?? ""));
}

/** Largest size in bytes of the driver's record of finished stages (init, plan, apply), one line for each stage. */
const MAX_STAGES = 64 * 1024;

async function readPlan(folder: TaskFolder): Promise<FoundPlan> {
  const [counts, digest] = await Promise.all([readCounts(folder), digestOf(folder)]);
  return { plan: { digest, ...counts }, text: readBeginning(driverFiles(folder).planText, folder) };
}

async function readCounts(folder: TaskFolder): Promise<Omit<Plan, "digest">> {
  return countChanges(streamOf(driverFiles(folder).planJson, MAX_JSON, folder));
}

/** Reads the beginning of a text: slightly more than is stored, since masking may shorten it. */
function readBeginning(path: string, { owner }: TaskFolder): string {
  const fd = openRegular(path, { owner }) ?? missing(path);
  try {
    const text = Buffer.alloc(MAX_TEXT);
    return text.toString("utf8", 0, readSync(fd, text, 0, MAX_TEXT, 0));
  } finally {
    closeSync(fd);
  }
}

const MAX_TEXT = 1_100_000;

async function digestOf(folder: TaskFolder): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(streamOf(inPlan(folder, PLAN), MAX_PLAN, folder), hash);
  return hash.digest("hex");
}

function streamOf(path: string, maxBytes: number, { owner }: TaskFolder): ReadStream {
  return createReadStream(path, { fd: openRegular(path, { maxBytes, owner }) ?? missing(path) });
}

/** Largest sizes in bytes. Plans usually take a few MB. One string of the JSON, which is parsed, may take up all of its size. */
const MAX_PLAN = 1024 * 1024 * 1024;
const MAX_JSON = 256 * 1024 * 1024;

function missing(path: string): never {
  throw new Error(`there is no ${path}`);
}
