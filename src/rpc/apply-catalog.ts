import { create, type MessageShape } from "@bufbuild/protobuf";
import {
  type ApplyCatalogRequest,
  type ApplyCatalogResponse,
  ApplyCatalogResponseSchema,
  CatalogAction,
} from "../../gen/signalman/v1/catalog_service_pb.ts";
import { ProjectSchema } from "../../gen/signalman/v1/project_pb.ts";
import type { Change, Kind, WantedCatalog } from "../store/catalog.ts";
import { lastPart, projectName, resourceName } from "./names.ts";
import { SCHEMAS, type Schemas, specOf } from "./resources.ts";

export interface ApplyCatalogDeps {
  applyCatalog(wanted: WantedCatalog, options: { prune: boolean; validateOnly: boolean }): Promise<Change[]>;
}

export async function applyCatalog(
  deps: ApplyCatalogDeps,
  request: ApplyCatalogRequest,
): Promise<ApplyCatalogResponse> {
  const { prune, validateOnly } = request;
  const wanted = wantedOf(request);
  const changes = await deps.applyCatalog(wanted, { prune, validateOnly });
  const project = wanted.project.name;
  return create(ApplyCatalogResponseSchema, {
    changes: changes.map(({ kind, name, action, fields }) => ({
      name: kind === "projects" ? projectName(name) : resourceName(kind, project, name),
      action: CatalogAction[action],
      fields: fields.map((field) => contractName(kind, field)),
    })),
  });
}

/** The store knows fields by their JSON names; in the contract they go by those of the .proto file. */
function contractName(kind: keyof Schemas, jsonName: string): string {
  return SCHEMAS[kind].fields.find((field) => field.jsonName === jsonName)?.name ?? jsonName;
}

/** The rules have seen to it that a catalog has a project and that references stay inside it. */
function wantedOf({ catalog }: ApplyCatalogRequest): WantedCatalog {
  const message = catalog?.project ?? create(ProjectSchema);
  const project = lastPart(message.name);
  const full = (kind: Kind, name: string) => (name === "" ? "" : resourceName(kind, project, lastPart(name)));
  const templates = (catalog?.templates ?? []).map((template) => ({
    ...template,
    repository: full("repositories", template.repository),
    environment: full("environments", template.environment),
    buildTemplate: full("templates", template.buildTemplate),
  }));
  return {
    project: { name: project, spec: specOf("projects", message) },
    resources: {
      repositories: specsOf("repositories", catalog?.repositories ?? []),
      environments: specsOf("environments", catalog?.environments ?? []),
      templates: specsOf("templates", templates),
    },
  };
}

function specsOf<K extends Kind>(kind: K, messages: readonly MessageShape<Schemas[K]>[]) {
  return messages.map((message) => ({ name: lastPart(message.name), spec: specOf(kind, message) }));
}
