import { TemplateType } from "../../../gen/signalman/v1/template_pb.ts";
import type { Commit } from "../job.ts";

/** Facts about the task that its program is told; a part of the task's details. */
export interface ToldTask {
  id: string;
  message: string;
  template: { type: TemplateType };
  repository: { name: string };
  /** Branch or tag that the caller, the template or the repository names; empty: none. */
  gitBranch: string;
  inventory?: { name: string };
  /** Version that a build makes; empty: none. */
  version: string;
  /** For a task of a deploy template: the build's version that it deploys; empty: none. */
  incomingVersion: string;
}

/** Names of template types in Semaphore UI; a plain task has none. */
const TYPES: Partial<Record<TemplateType, string>> = {
  [TemplateType.BUILD]: "build",
  [TemplateType.DEPLOY]: "deploy",
};

/**
 * Returns `semaphore_vars.task_details` of playbooks, with the names of Semaphore UI. Ids are Signalman's resource names.
 * `username` and `url` are empty, as Semaphore UI leaves them without a user or a page: Signalman has neither.
 */
export function taskDetails(task: ToldTask, commit: Commit): Record<string, string | null> {
  const { inventory, repository, gitBranch, incomingVersion } = task;
  const type = TYPES[task.template.type];
  return {
    id: task.id,
    ...(task.message && { message: task.message }),
    username: "",
    url: null,
    commit_hash: commit.hash || null,
    commit_message: commit.message,
    ...(gitBranch && { branch: gitBranch }),
    ...(inventory && { inventory_name: shortName(inventory.name), inventory_id: inventory.name }),
    repository_name: shortName(repository.name),
    repository_id: repository.name,
    ...(type && { type }),
    ...(type && incomingVersion && { incoming_version: incomingVersion }),
    ...(type === "build" && { target_version: task.version }),
  };
}

const shortName = (name: string) => name.split("/").at(-1) ?? "";

/** Returns the details that have a value, without the type, as variables SEMAPHORE_TASK_DETAILS_* for shell-like apps. */
export function detailsEnvironment(task: ToldTask, commit: Commit): Record<string, string> {
  const known = Object.entries(taskDetails(task, commit)).filter(([name, value]) => value && name !== "type");
  return Object.fromEntries(
    known.map(([name, value]) => [`SEMAPHORE_TASK_DETAILS_${name.toUpperCase()}`, value ?? ""]),
  );
}

/** Returns the environment variables that a build or deploy of any app gets; empty for a plain task. */
export function typeEnvironment(task: ToldTask): Record<string, string> {
  const type = TYPES[task.template.type];
  if (!type) return {};
  return {
    SEMAPHORE_TASK_TYPE: type,
    SEMAPHORE_TASK_INCOMING_VERSION: task.incomingVersion,
    ...(type === "build" && { SEMAPHORE_TASK_TARGET_VERSION: task.version }),
  };
}
