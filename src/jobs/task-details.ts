import { TemplateType } from "../../gen/signalman/v1/template_pb.ts";
import type { Commit } from "./job.ts";

/** What programs are told of the task that they run for; a part of the task's details. */
export interface ToldTask {
  id: string;
  message: string;
  template: { type: TemplateType };
  repository: { name: string };
  /** Branch or tag that was asked for; empty: none. */
  gitBranch: string;
  inventory?: { name: string };
  /** What it builds; empty: nothing that has a version. */
  version: string;
  /** What it brings somewhere; empty: nothing that has a version. */
  incomingVersion: string;
}

/** By the names of the reference; a plain task has none. */
const TYPES: Partial<Record<TemplateType, string>> = {
  [TemplateType.BUILD]: "build",
  [TemplateType.DEPLOY]: "deploy",
};

/**
 * `semaphore_vars.task_details` of playbooks, with the reference's names. Ids are our resource names. There is no user
 * and no page to link to yet, which the reference shows by the same empty values.
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

/** The same as variables of shell-like apps: what is known, as it is, without the type. */
export function detailsEnvironment(task: ToldTask, commit: Commit): Record<string, string> {
  const known = Object.entries(taskDetails(task, commit)).filter(([name, value]) => value && name !== "type");
  return Object.fromEntries(
    known.map(([name, value]) => [`SEMAPHORE_TASK_DETAILS_${name.toUpperCase()}`, value ?? ""]),
  );
}

/** What programs of every app find in their environment, if the task is a build or a deploy. */
export function typeEnvironment(task: ToldTask): Record<string, string> {
  const type = TYPES[task.template.type];
  if (!type) return {};
  return {
    SEMAPHORE_TASK_TYPE: type,
    SEMAPHORE_TASK_INCOMING_VERSION: task.incomingVersion,
    ...(type === "build" && { SEMAPHORE_TASK_TARGET_VERSION: task.version }),
  };
}
