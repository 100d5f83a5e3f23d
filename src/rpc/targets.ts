import type { Place } from "../access/rights.ts";
import type { Permission } from "../task/roles.ts";
import { parseResourceName, parseTaskName, projectName, type TaskName } from "./names.ts";

/** Resource that a request names: the caller needs the method's permission on it. */
export interface Target extends Place {
  /** Full resource name, which NOT_FOUND names to callers who may not know of it; empty: everything. */
  name: string;
  /** A list or a watch, which shows the parts of the place that the caller may see. */
  isList?: true;
  /** A task, whose template must be looked up. */
  task?: TaskName;
  /** Permission by which a caller knows of the resource; absent: by any role there. */
  knownBy?: Permission;
}

/** Returns the target of a request, which has passed the rules. */
export type TargetOf = (request: never) => Target;

const EVERYTHING = { project: null, template: null, name: "" } as const;

export const everything: TargetOf = () => EVERYTHING;
export const everythingSeen: TargetOf = () => ({ ...EVERYTHING, isList: true });

/** The task in `name`. */
export const task: TargetOf = ({ name }: { name: string }) => {
  const parsed = parseTaskName(name);
  return { project: parsed.project, template: null, name, task: parsed };
};

/** The template in `template`. */
export const template: TargetOf = ({ template: name }: { template: string }) => resource(name);

/** The resource in `name`. */
export const named: TargetOf = ({ name }: { name: string }) => resource(name);

/** The project in `parent`, in which something is created. */
export const parent: TargetOf = ({ parent: name }: { parent: string }) => resource(name);

/** The parts of the project in `parent`, or of all projects, that the caller may see. */
export const seenIn: TargetOf = ({ parent: name }: { parent: string }) =>
  name === "projects/-" ? { ...EVERYTHING, isList: true } : { ...resource(name), isList: true };

/** The resource in the field `one`, which an update holds whole. */
export const updated =
  (one: string): TargetOf =>
  (request: Record<string, { name: string }>) =>
    resource(request[one]?.name ?? "");

/** The project of a catalog. */
export const catalog: TargetOf = ({ catalog: given }: { catalog?: { project?: { name: string } } }) =>
  resource(projectName(given?.project?.name.split("/").at(-1) ?? ""));

/** An account or one of its tokens, in the field `field`: callers know of it by `accounts.read`. */
export const account =
  (field: "name" | "parent" | "account"): TargetOf =>
  (request: Record<string, string | { name: string }>) => {
    const value = request[field] ?? "";
    const name = typeof value === "string" ? value : value.name;
    return { ...EVERYTHING, name, knownBy: "accounts.read" };
  };

/** The node in `name`: callers know of it by `nodes.read`. */
export const node: TargetOf = ({ name }: { name: string }) => ({
  ...EVERYTHING,
  name,
  knownBy: "nodes.read",
});

function resource(name: string): Target {
  const { project, name: last } = parseResourceName(name);
  const [, , collection] = name.split("/");
  if (collection === undefined) return { project, template: null, name };
  if (collection === "templates") return { project, template: last, name };
  return { project, template: null, name, knownBy: readPermission(collection) };
}

/** Returns the permission to read a kind of resources, by its collection in names. */
export const readPermission = (collection: string): Permission =>
  collection === "roleBindings" ? "bindings.read" : "catalog.read";
