import { create, type JsonValue, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import {
  type ApplyCatalogRequest,
  type ApplyCatalogResponse,
  ApplyCatalogResponseSchema,
  type Catalog,
  CatalogAction,
  type FieldChangeSchema,
} from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { ProjectSchema } from "../../../gen/signalman/v1/project_pb.ts";
import { mayAt } from "../../access/rights.ts";
import type { ProjectState } from "../../store/catalog/catalog.ts";
import { type AnyKind, KINDS, type ResourceRef } from "../../store/catalog/kinds.ts";
import type { Call } from "../call.ts";
import { fullName, lastPart } from "../names.ts";
import { type DesiredResource, type Difference, type PlannedChange, planChanges } from "./plan.ts";
import { CATALOG_FIELDS } from "./references.ts";
import { jsonOf, type Schemas } from "./schemas.ts";
import { type CatalogWarningDeps, catalogWarnings } from "./warnings.ts";
import { assertMayBind } from "./widening.ts";
import type { WriteDeps } from "./write.ts";

interface Change extends ResourceRef {
  action: PlannedChange["action"] | "DELETE" | "KEEP";
  differences: Difference[];
}

/** Time limit of the transaction in milliseconds; a catalog can hold thousands of resources. */
const TIMEOUT_MS = 30_000;
/** Maximum number of characters of a value in a difference. */
const SHOWN = 1000;

export async function applyCatalog(
  deps: WriteDeps & CatalogWarningDeps,
  { catalog, prune, validateOnly }: ApplyCatalogRequest,
  { caller, actor }: Pick<Call, "caller" | "actor">,
): Promise<ApplyCatalogResponse> {
  // The rules require a catalog with a project.
  const message = catalog?.project ?? create(ProjectSchema);
  const project = lastPart(message.name);
  const desired = [
    desiredResource("projects", message, "catalog.project"),
    ...KINDS.flatMap((kind) => desiredOf(kind, catalog)),
  ];
  const decide = (state: ProjectState) => {
    assertMayBind(caller, project, state, desired);
    const left = notNamed(state, desired).filter(
      ({ kind }) => kind !== "roleBindings" || mayAt(caller, "bindings.write", { project, template: null }),
    );
    const planned = planChanges(deps.cipher, project, state, desired, prune ? left : []);
    const put = planned.filter(({ action }) => action !== "UNCHANGED");
    return {
      planned,
      left,
      put,
      remove: prune ? left : [],
      isRehearsal: validateOnly,
      actor,
    };
  };
  const { decision, obstacles } = await deps.changeProject(project, desired, decide, TIMEOUT_MS);
  const left = decision.left.map(
    (ref): Change => ({ ...ref, action: prune ? "DELETE" : "KEEP", differences: [] }),
  );
  return create(ApplyCatalogResponseSchema, {
    changes: inOrder([...decision.planned, ...left]).map(({ kind, name, action, differences }) => ({
      name: fullName(kind, project, name),
      obstacle: obstacles.find(({ resource }) => resource === fullName(kind, project, name))?.message ?? "",
      action: CatalogAction[action],
      fields: [...new Set(differences.map(({ field }) => field))],
      differences: validateOnly ? differences.map(fieldChange) : [],
    })),
    warnings: catalogWarnings(deps, catalog),
  });
}

function fieldChange({
  field,
  secret,
  before,
  after,
}: Difference): MessageInitShape<typeof FieldChangeSchema> {
  if (secret !== undefined) return { field: secret, secret: true };
  return { field, before: shown(before), after: shown(after) };
}

function shown(value: JsonValue | undefined): string {
  const text = value === undefined ? "" : JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN).toWellFormed()}…` : text;
}

function desiredOf(kind: Exclude<AnyKind, "projects">, catalog: Catalog | undefined): DesiredResource[] {
  const messages: MessageShape<Schemas[typeof kind]>[] = catalog?.[kind] ?? [];
  return messages.map((message, index) =>
    desiredResource(kind, message, `catalog.${CATALOG_FIELDS[kind]}[${index}]`),
  );
}

function desiredResource<K extends AnyKind>(
  kind: K,
  message: MessageShape<Schemas[K]>,
  path: string,
): DesiredResource {
  return { kind, name: lastPart(message.name), path, json: jsonOf(kind, message) };
}

/** Returns the resources of the project that the catalog does not name. */
function notNamed({ outlines }: ProjectState, desired: readonly DesiredResource[]): ResourceRef[] {
  const named = new Set(desired.map(({ kind, name }) => `${kind}/${name}`));
  return KINDS.flatMap((kind) =>
    [...outlines[kind].keys()]
      .filter((name) => !named.has(`${kind}/${name}`))
      .map((name) => ({ kind, name })),
  );
}

/** Sorts changes: the project first, then by kind and name. */
function inOrder(changes: readonly Change[]): Change[] {
  const rank = ({ kind }: ResourceRef) => (kind === "projects" ? -1 : KINDS.indexOf(kind));
  return changes.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}
