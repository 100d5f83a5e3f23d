import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { InventorySchema } from "../../gen/signalman/v1/inventory_pb.ts";
import { type Project, ProjectSchema } from "../../gen/signalman/v1/project_pb.ts";
import { type Repository, RepositorySchema } from "../../gen/signalman/v1/repository_pb.ts";
import type { Template, Vault } from "../../gen/signalman/v1/template_pb.ts";
import type { AnsibleInventory, AnsibleVault } from "../jobs/ansible/input.ts";
import { type FamilySettings, settingsOf } from "../jobs/families.ts";
import type { AccessKey } from "../keys/access-key.ts";
import type { DetailRows } from "../store/tasks/details.ts";
import { checkAsked, surveyDefaults } from "../submission/overrides.ts";
import { paramsOf } from "../submission/params.ts";
import { type TemplateParts, templateParts } from "../submission/template.ts";
import { PrepareError } from "../task/errors.ts";
import type { TaskRecord, TaskSpec } from "../task/types.ts";
import type { Secrets } from "./secrets.ts";
import { mergeVariables, type VariableLayer } from "./variables.ts";

/** A repository and what it is fetched with. */
export interface RepositoryAccess {
  repository: Repository;
  repositoryKey: AccessKey;
}

/** All that a job needs to know of a task: the template's settings with the task's laid over them. */
export interface TaskDetails extends RepositoryAccess, FamilySettings {
  /** UUID. */
  id: string;
  project: Project;
  template: Template;
  message: string;
  /** Before the variables, and behind them. */
  arguments: { template: string[]; task: string[] };
  variables: JsonObject;
  secretVariables: Record<string, string>;
  /** Names of those of both kinds whose values are the caller's. */
  callerVariables: ReadonlySet<string>;
  /** Secret ones too. */
  env: Record<string, string>;
  /** Names of those in `env` whose values are secret. */
  secretEnv: ReadonlySet<string>;
  /** Empty: the one that the repository has checked out. */
  gitBranch: string;
  /** Empty: the tip of the branch. */
  commit: string;
  /** What it builds, and what it brings somewhere; empty: nothing that has a version. */
  version: string;
  incomingVersion: string;
  inventory: AnsibleInventory<RepositoryAccess> | undefined;
  vaults: readonly AnsibleVault[];
  /** Milliseconds that a plan may wait; undefined: for ever. */
  confirmTimeoutMs: number | undefined;
  /** Every access key that is named here, by its full name. */
  keys: ReadonlyMap<string, AccessKey>;
}

/**
 * populateDetails: the template with all that it names, and the task's own settings over them. Of variables and process
 * environment the later wins: environment, template, defaults of the survey, task.
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
  assertAllowed(task, template, secrets.variables);
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

/** Those that nothing open took the place of. */
function secretNames(secret: Record<string, string>, over: Record<string, string>): ReadonlySet<string> {
  return new Set(Object.keys(secret).filter((name) => !Object.hasOwn(over, name)));
}

/** The template may have changed since the task was created. */
function assertAllowed(
  { project, spec }: Pick<TaskRecord, "project" | "spec">,
  template: Template,
  secretVariables: Record<string, string>,
): void {
  const inventory = spec.inventory ? `projects/${project}/inventories/${spec.inventory}` : "";
  const [violation] = checkAsked(template, {
    ...spec,
    secretVariables,
    inventory,
    params: paramsOf(spec),
  });
  if (!violation) return;
  throw new PrepareError(
    `Cannot run ${template.name}: it was changed since the task was created, and now ${violation.field} ${violation.description}`,
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
  if (!rows.inventory) throw new PrepareError(`Cannot run ${template.name}: there is no ${name}`);
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
