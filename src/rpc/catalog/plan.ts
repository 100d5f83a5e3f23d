import { isDeepStrictEqual } from "node:util";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Cipher } from "../../keys/cipher.ts";
import type { ProjectState, Put } from "../../store/catalog/catalog.ts";
import { type AnyKind, KINDS, type ResourceRef } from "../../store/catalog/kinds.ts";
import { invalid } from "../../task/errors.ts";
import { fullName } from "../names.ts";
import { checkProject, type Touched, type Visibility } from "./checks.ts";
import { referencesOf } from "./references.ts";
import { contractName, shownSpec } from "./schemas.ts";
import { showsNames } from "./secret-fields.ts";
import { type Settled, settle } from "./secrets.ts";

/** Resource as the caller wants it, in the form of `jsonOf`. */
export interface DesiredResource extends Touched {
  json: JsonObject;
}

/** The change that a desired resource makes to the stored one. */
export interface PlannedChange extends Put {
  action: "CREATE" | "UPDATE" | "UNCHANGED";
  /** With UPDATE: the differing fields, ordered by name. */
  differences: Difference[];
}

export interface Difference {
  /** Name in the contract. */
  field: string;
  /** Path of a secret; undefined: the field is not a secret. */
  secret?: string;
  before?: JsonValue | undefined;
  after?: JsonValue | undefined;
}

/**
 * Computes the changes that a request makes to a project. Pure.
 * @throws Failure invalid that names each field in which a secret is missing or a reference is invalid.
 */
export function planChanges(
  cipher: Pick<Cipher, "seal" | "open">,
  project: string,
  state: ProjectState,
  desired: readonly DesiredResource[],
  doomed: readonly ResourceRef[] = [],
  isVisible?: Visibility,
): PlannedChange[] {
  const settled = desired.map((resource) => {
    const stored = state.wholes[resource.kind].get(resource.name);
    const { kind, name } = resource;
    const result = settle(
      cipher,
      { kind, project, name },
      withFullNames(project, kind, resource.json),
      stored,
    );
    return { resource, stored, ...result };
  });
  const after = afterwards(
    state,
    settled.map(({ resource, spec }) => ({ ...resource, spec })),
    doomed,
  );
  const violations = [
    ...settled.flatMap(({ resource, missing }) =>
      missing.map((v) => ({ ...v, field: `${resource.path}.${v.field}` })),
    ),
    ...checkProject(project, state, after, desired, isVisible),
  ];
  if (violations.length > 0) throw invalid(violations);
  return settled.map(({ resource: { kind, name }, stored, spec, secrets, changed }) => ({
    kind,
    name,
    spec,
    secrets,
    ...withFields(kind, spec, difference(kind, stored?.spec, { spec, changed })),
  }));
}

/** Returns a resource with full names in its references, as they are stored. */
export function withFullNames(project: string, kind: AnyKind, json: JsonObject): JsonObject {
  const full = structuredClone(json);
  for (const { kind: target, name, rename } of referencesOf(kind, full)) {
    if (!name.includes("/")) rename(fullName(target, project, name));
  }
  return full;
}

function afterwards(
  { outlines }: ProjectState,
  put: readonly (ResourceRef & { spec: JsonObject })[],
  doomed: readonly ResourceRef[],
): ProjectState["outlines"] {
  const after = Object.fromEntries(
    (["projects", "accounts", ...KINDS] as const).map((kind) => [kind, new Map(outlines[kind])]),
  ) as ProjectState["outlines"];
  for (const { kind, name, spec } of put) after[kind].set(name, spec);
  for (const { kind, name } of doomed) after[kind].delete(name);
  return after;
}

function difference(
  kind: AnyKind,
  before: JsonObject | undefined,
  { spec, changed }: Pick<Settled, "spec" | "changed">,
): Pick<PlannedChange, "action" | "differences"> {
  if (!before) return { action: "CREATE", differences: [] };
  const after = asStored(spec);
  const keys = Object.keys({ ...before, ...after }).filter(
    (key) => !showsNames(kind, key) && !isDeepStrictEqual(before[key], after[key]),
  );
  const shown = shownSpec(kind, before);
  const differences: Difference[] = [
    ...keys.map((key) => ({ field: contractName(kind, key), before: shown[key], after: after[key] })),
    ...changed.map((secret) => ({ field: secret.split(/[.[]/)[0] ?? secret, secret })),
  ];
  differences.sort((a, b) => (a.field < b.field ? -1 : a.field > b.field ? 1 : 0));
  return { action: differences.length > 0 ? "UPDATE" : "UNCHANGED", differences };
}

/** Adds the names of the fields that a change sets or changes. */
function withFields(kind: AnyKind, spec: JsonObject, change: ReturnType<typeof difference>) {
  const set = Object.keys(spec).map((key) => contractName(kind, key));
  const differing = change.differences.map(({ field, secret }) => secret ?? field);
  return { ...change, fields: change.action === "CREATE" ? set : differing };
}

/** Returns a spec as it is read back: JSON has no negative zero. */
const asStored = (spec: JsonObject): JsonObject => JSON.parse(JSON.stringify(spec)) as JsonObject;
