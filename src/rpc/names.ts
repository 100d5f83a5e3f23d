import type { AnyKind, Kind } from "../store/catalog/kinds.ts";

/*
 * Resource names (AIP-122). The functions assume valid names: the rules (rpc/rules) have checked them before any handler
 * runs.
 */

export interface TaskName {
  project: string;
  id: string;
}

/** Parses `projects/{project}/tasks/{uuid}`. */
export function parseTaskName(name: string): TaskName {
  const [, project = "", , id = ""] = name.split("/");
  return { project, id };
}

export const taskName = ({ project, id }: TaskName) => `projects/${project}/tasks/${id}`;

/** Parses `projects/{project}`, with an empty `name`, or `projects/{project}/{kind}/{name}`. */
export function parseResourceName(name: string): { project: string; name: string } {
  const [, project = "", , last = ""] = name.split("/");
  return { project, name: last };
}

export const projectName = (project: string) => `projects/${project}`;
export const resourceName = (kind: Kind | "inventories", project: string, name: string) =>
  `projects/${project}/${kind}/${name}`;
export const accountName = (account: string) => `accounts/${account}`;
/** Returns the name of a resource in a project, of the project itself, or of an account, which is in none. */
export function fullName(kind: AnyKind | "accounts", project: string, name: string): string {
  if (kind === "accounts") return accountName(name);
  return kind === "projects" ? projectName(name) : resourceName(kind, project, name);
}

/** Returns the last part of a name, which in a catalog may replace the whole name. */
export const lastPart = (name: string) => name.split("/").at(-1) ?? name;
