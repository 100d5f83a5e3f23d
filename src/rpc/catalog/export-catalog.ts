import { create, fromJson, type JsonObject } from "@bufbuild/protobuf";
import {
  CatalogSchema,
  type ExportCatalogRequest,
  type ExportCatalogResponse,
  ExportCatalogResponseSchema,
} from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { mayAt } from "../../access/rights.ts";
import { type AnyKind, KINDS, type Kind, type Resource } from "../../store/catalog/kinds.ts";
import type { Call } from "../call.ts";
import { lastPart } from "../names.ts";
import { CATALOG_FIELDS, referencesOf } from "./references.ts";
import { shownSpec } from "./schemas.ts";
import { secretsOf, withEmptySecrets } from "./secret-fields.ts";

export interface ExportCatalogDeps {
  readProject(name: string): Promise<{ project: Resource; resources: Record<Kind, Resource[]> }>;
}

export async function exportCatalog(
  deps: ExportCatalogDeps,
  request: ExportCatalogRequest,
  { caller }: Pick<Call, "caller">,
): Promise<ExportCatalogResponse> {
  const { project, resources } = await deps.readProject(lastPart(request.name));
  const catalog: JsonObject = { project: asWritten("projects", project) };
  if (!mayAt(caller, "bindings.read", { project: project.name, template: null })) resources.roleBindings = [];
  for (const kind of KINDS) catalog[kind] = resources[kind].map((resource) => asWritten(kind, resource));
  return create(ExportCatalogResponseSchema, {
    catalog: fromJson(CatalogSchema, catalog),
    leftOut: KINDS.flatMap((kind) =>
      resources[kind].flatMap(({ spec }, index) =>
        secretsOf(kind, spec).map((path) => `${CATALOG_FIELDS[kind]}[${index}].${path}`),
      ),
    ),
  });
}

/** Returns a resource in the form of a catalog file: names by their last part, secrets empty. */
function asWritten(kind: AnyKind, { name, spec }: Resource): JsonObject {
  const written = structuredClone(withEmptySecrets(kind, shownSpec(kind, spec)));
  for (const { name: full, rename } of referencesOf(kind, written)) rename(lastPart(full));
  return { name, ...written };
}
