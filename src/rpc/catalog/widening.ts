import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "@bufbuild/protobuf";
import { mayAt } from "../../access/rights.ts";
import type { ProjectState, Put } from "../../store/catalog/catalog.ts";
import type { Caller } from "../../task/caller.ts";
import { type FieldViolation, invalid } from "../../task/errors.ts";
import { denied } from "../authorize.ts";
import { fullName, lastPart, resourceName } from "../names.ts";
import { pathText } from "../rules/path.ts";
import { readPermission } from "../targets.ts";
import type { Visibility } from "./checks.ts";
import { type DesiredResource, withFullNames } from "./plan.ts";
import { referencesOf } from "./references.ts";
import { contractName, SCHEMAS } from "./schemas.ts";

/** Fields of a template that give its tasks, once they are set, keys that they did not have. */
const GIVE_KEYS = ["gitAccess", "allowOverrideInventory"];

/**
 * Keeps an editor of a template alone from using what it may not read: its tasks could print the secrets of any
 * environment or key that it names. What the stored template names already may stay.
 * @throws Failure invalid, as for a missing resource, for each new reference to one that the caller may not read.
 */
export function assertNotWidened(
  caller: Caller,
  project: string,
  state: ProjectState,
  put: readonly Put[],
  field: string,
): void {
  if (mayAt(caller, "catalog.read", { project, template: null })) return;
  for (const { kind, name, spec } of put) {
    const stored = state.outlines[kind].get(name) ?? {};
    const given = GIVE_KEYS.find((key) => spec[key] === true && stored[key] !== true);
    if (given !== undefined)
      throw denied(caller, "catalog.read", `projects/${project}`, `set ${contractName(kind, given)}`);
    const violations = newReferences(caller, project, { kind, spec, stored }, field);
    if (violations.length > 0) throw invalid(violations);
  }
}

/** Returns what errors may name to a caller: the resources of a project that it may read. */
export const visibleTo =
  (caller: Caller, project: string): Visibility =>
  ({ kind, name }) =>
    mayAt(caller, readPermission(kind), { project, template: kind === "templates" ? name : null });

function newReferences(
  caller: Caller,
  project: string,
  { kind, spec, stored }: Pick<Put, "kind" | "spec"> & { stored: JsonObject },
  field: string,
): FieldViolation[] {
  const before = new Set(referencesOf(kind, stored).map((one) => `${one.kind}/${lastPart(one.name)}`));
  return referencesOf(kind, spec)
    .filter((one) => !before.has(`${one.kind}/${lastPart(one.name)}`))
    .filter(({ kind: target, name }) => {
      const template = target === "templates" ? lastPart(name) : null;
      return !mayAt(caller, "catalog.read", { project, template });
    })
    .map((one) => ({
      field: `${field}.${pathText(SCHEMAS[kind], one.path)}`,
      description: `there is no ${fullName(one.kind, project, lastPart(one.name))}`,
    }));
}

/**
 * Called before anything else is checked, since errors would tell which accounts exist.
 * @throws Failure denied if a catalog changes a role binding, and the caller may not write them.
 */
export function assertMayBind(
  caller: Caller,
  project: string,
  { wholes }: ProjectState,
  desired: readonly DesiredResource[],
): void {
  if (mayAt(caller, "bindings.write", { project, template: null })) return;
  const changed = desired.find(
    ({ kind, name, json }) =>
      kind === "roleBindings" &&
      !isDeepStrictEqual(withFullNames(project, kind, json), wholes.roleBindings.get(name)?.spec),
  );
  if (changed)
    throw denied(
      caller,
      "bindings.write",
      resourceName("roleBindings", project, changed.name),
      "change role bindings",
    );
}
