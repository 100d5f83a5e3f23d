import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { InventorySchema } from "../../gen/signalman/v1/inventory_pb.ts";
import { type Project, ProjectSchema } from "../../gen/signalman/v1/project_pb.ts";
import { type Repository, RepositorySchema } from "../../gen/signalman/v1/repository_pb.ts";
import type { Template, Vault } from "../../gen/signalman/v1/template_pb.ts";
import { type FamilySettings, settingsOf } from "../jobs/families/all.ts";
import type { AnsibleInventory, AnsibleVault } from "../jobs/families/ansible/input.ts";
import type { AccessKey } from "../keys/access-key.ts";
import type { DetailRows } from "../store/tasks/details.ts";
import { extraSecrets } from "../submission/caller-names.ts";
import { checkAsked, surveyDefaults } from "../submission/overrides.ts";
import { paramsOf } from "../submission/params.ts";
import { type TemplateParts, templateParts } from "../submission/template.ts";
import { PrepareError } from "../task/errors.ts";
import type { TaskRecord, TaskSpec } from "../task/types.ts";
import type { Secrets } from "./secrets.ts";
import { mergeVariables, type VariableLayer } from "./variables.ts";

/** A repository and the access key that it is fetched with. */
export interface RepositoryAccess {
  repository: Repository;
  repositoryKey: AccessKey;
}

/** Everything that a job needs to know of a task: the settings of its template, overridden by those of the task. */
export interface TaskDetails extends RepositoryAccess, FamilySettings {
  /** UUID. */
  id: string;
  project: Project;
  template: Template;
  message: string;
  /** Arguments of the program: the template's stand before the variables, the task's after them. */
  arguments: { template: string[]; task: string[] };
  variables: JsonObject;
  secretVariables: Record<string, string>;
  /** Names of the variables, secret ones included, whose values come from the caller of RunTask. */
  callerVariables: ReadonlySet<string>;
  /** Names of the caller's secret variables that must not replace environment variables of the operator. */
  extraSecrets: ReadonlySet<string>;
  /** Environment variables of the program, secret ones included. */
  env: Record<string, string>;
  /** Names of the variables in `env` whose values are secret. */
  secretEnv: ReadonlySet<string>;
  /** Branch to check out; empty: the default branch of the repository. */
  gitBranch: string;
  /** Commit to check out; empty: the tip of the branch. */
  commit: string;
  /** Version that this build makes; empty: the task is no build. */
  version: string;
  /** Version that this deploy installs; empty: the task deploys no build. */
  incomingVersion: string;
  inventory: AnsibleInventory<RepositoryAccess> | undefined;
  vaults: readonly AnsibleVault[];
  /** Milliseconds that a plan may wait for its confirmation; undefined: without limit. */
  confirmTimeoutMs: number | undefined;
  /** All access keys that these details name, by their full names. */
  keys: ReadonlyMap<string, AccessKey>;
}

/**
 * Returns the template with the resources that it names, overridden by the settings of the task. Variables and process
 * environment are merged in this order, where a later source overrides an earlier one: environment, template, defaults
 * of the survey, task.
 * @throws PrepareError if the template is gone or no longer allows what the task asks for.
 */
export function populateDetails(
  task: Pick<TaskRecord, "id" | "project" | "template" | "spec" | "version" | "incomingVersion">,
  rows: DetailRows | null,
  secrets: Secrets,
): TaskDetails {
  const name = `projects/${task.project}/templates/${task.template}`;
  if (!rows) throw new PrepareError(`Cannot run ${name}: it has been deleted since the task was created`);
  const { spec } = task;
  const parts = templateParts(name, rows);
  const { template, repository, environment } = parts;
  if (!repository) throw new PrepareError(`Cannot run ${name}: it names no repository`);
  assertAllowed(task, parts, secrets.variables);
  const keyOf = (key: string): AccessKey => secrets.keys.get(key) ?? { name: key, kind: "none" };
  return {
    id: task.id,
    project: fromJson(ProjectSchema, { ...rows.project, name: `projects/${task.project}` }),
    template,
    repository,
    repositoryKey: keyOf(repository.accessKey),
    message: spec.message,
    arguments: { template: template.arguments, task: spec.arguments },
    ...mergeVariables(variableLayers(parts, spec, secrets)),
    callerVariables: new Set([...Object.keys(spec.variables), ...Object.keys(secrets.variables)]),
    extraSecrets: extraSecrets(template, Object.keys(secrets.variables)),
    env: { ...environment?.env, ...secrets.environment.env, ...template.env, ...spec.env },
    secretEnv: secretNames(secrets.environment.env, { ...template.env, ...spec.env }),
    gitBranch: spec.gitBranch || template.gitBranch || repository.gitBranch,
    commit: spec.commit,
    version: task.version,
    incomingVersion: task.incomingVersion,
    inventory: inventoryDetails(task, template, rows, keyOf),
    vaults: template.vaults.map((vault) => vaultDetails(vault, keyOf)),
    ...settingsOf(template, paramsOf(spec)),
    confirmTimeoutMs: spec.confirmTimeoutMs,
    keys: secrets.keys,
  };
}

/** Returns the names of secret environment variables that no plain variable overrides. */
function secretNames(secret: Record<string, string>, over: Record<string, string>): ReadonlySet<string> {
  return new Set(Object.keys(secret).filter((name) => !Object.hasOwn(over, name)));
}

/**
 * Checks the task against its template again, which may have changed since the task was created.
 * @throws PrepareError with the first violation.
 */
function assertAllowed(
  { project, spec }: Pick<TaskRecord, "project" | "spec">,
  parts: TemplateParts,
  secretVariables: Record<string, string>,
): void {
  const inventory = spec.inventory ? `projects/${project}/inventories/${spec.inventory}` : "";
  const [violation] = checkAsked(parts, {
    ...spec,
    secretVariables,
    inventory,
    params: paramsOf(spec),
  });
  if (!violation) return;
  throw new PrepareError(
    `Cannot run ${parts.template.name}: it was changed since the task was created, or the server was upgraded, and now ${violation.field} ${violation.description}`,
  );
}

function variableLayers(
  { template, environment }: TemplateParts,
  { variables }: TaskSpec,
  secrets: Secrets,
): VariableLayer[] {
  const asked = { variables, secretVariables: secrets.variables };
  return [
    { open: environment?.variables ?? {}, secret: secrets.environment.variables },
    { open: template.variables ?? {} },
    { open: surveyDefaults(template, asked) },
    { open: variables, secret: secrets.variables },
  ];
}

function inventoryDetails(
  { project, spec }: Pick<TaskRecord, "project" | "spec">,
  template: Template,
  rows: DetailRows,
  keyOf: (name: string) => AccessKey,
): AnsibleInventory<RepositoryAccess> | undefined {
  const name = spec.inventory ? `projects/${project}/inventories/${spec.inventory}` : template.inventory;
  if (name === "") return undefined;
  if (!rows.inventory)
    throw new PrepareError(`Cannot run ${template.name}: its inventory ${name} does not exist`);
  const { source, sshKey, becomeKey } = fromJson(InventorySchema, { ...rows.inventory, name });
  const place = source.case === "file" ? source.value.repository : "";
  const repository =
    rows.inventoryRepository && place !== template.repository
      ? fromJson(RepositorySchema, { ...rows.inventoryRepository, name: place })
      : undefined;
  return {
    name,
    source,
    sshKey: keyOf(sshKey),
    becomeKey: keyOf(becomeKey),
    other: repository && { repository, repositoryKey: keyOf(repository.accessKey) },
  };
}

function vaultDetails({ name, source }: Vault, keyOf: (name: string) => AccessKey): AnsibleVault {
  const id = { name: name || "default" };
  return source.case === "script"
    ? { ...id, script: source.value }
    : { ...id, key: keyOf(source.value ?? "") };
}
