import type { AnyKind, Kind } from "../store/catalog/kinds.ts";

/*
 * Resource names (AIP-122). The rules have checked their form before any of these is called; a name of another
 * form here is a defect of ours.
 */

export interface TaskName {
  project: string;
  id: string;
}

/** `projects/{project}/tasks/{uuid}` */
export function parseTaskName(name: string): TaskName {
  const [, project = "", , id = ""] = name.split("/");
  return { project, id };
}

export const taskName = ({ project, id }: TaskName) => `projects/${project}/tasks/${id}`;

/** `projects/{project}` or `projects/{project}/{kind}/{name}` */
export function parseResourceName(name: string): { project: string; name: string } {
  const [, project = "", , last = ""] = name.split("/");
  return { project, name: last };
}

export const projectName = (project: string) => `projects/${project}`;
export const resourceName = (kind: Kind | "inventories", project: string, name: string) =>
  `projects/${project}/${kind}/${name}`;
/** Of a resource in a project, or of the project itself. */
export const fullName = (kind: AnyKind, project: string, name: string) =>
  kind === "projects" ? projectName(name) : resourceName(kind, project, name);

/** Last part of a name, which in a catalog may stand alone. */
export const lastPart = (name: string) => name.split("/").at(-1) ?? name;
