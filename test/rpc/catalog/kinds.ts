import { create, type DescMessage, fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { AccessKeyService } from "../../../gen/signalman/v1/access_key_pb.ts";
import { EnvironmentService } from "../../../gen/signalman/v1/environment_pb.ts";
import { InventoryService } from "../../../gen/signalman/v1/inventory_pb.ts";
import { ProjectService } from "../../../gen/signalman/v1/project_pb.ts";
import { RepositoryService } from "../../../gen/signalman/v1/repository_pb.ts";
import { TemplateService } from "../../../gen/signalman/v1/template_pb.ts";
import type { InMemoryApi } from "../../support/in-memory.ts";

/** Every kind with its names in messages, and the fields of a valid resource. */
export const KINDS = {
  projects: { service: ProjectService, one: "Project", right: {} },
  accessKeys: { service: AccessKeyService, one: "AccessKey", right: { text: { value: "open sesame" } } },
  repositories: { service: RepositoryService, one: "Repository", right: { url: "/srv" } },
  inventories: { service: InventoryService, one: "Inventory", right: { ini: "localhost" } },
  environments: { service: EnvironmentService, one: "Environment", right: {} },
  templates: {
    service: TemplateService,
    one: "Template",
    right: { app: "sh", repository: "base", path: "x" },
  },
} as const;
export type KindName = keyof typeof KINDS;

/** Returns the standard methods of a kind, with requests and responses in proto3 JSON. */
export function standard(service: Pick<InMemoryApi, "client">, kind: KindName) {
  const { service: desc, one } = KINDS[kind];
  const field = `${one.charAt(0).toLowerCase()}${one.slice(1)}`;
  const client = service.client(desc as never);

  async function call(name: string, request: JsonObject): Promise<JsonObject> {
    const method = desc.methods.find((candidate) => candidate.name === name);
    if (!method) throw new Error(`There is no RPC ${name}`);
    const rpc = (client as unknown as Record<string, (r: unknown) => Promise<never>>)[method.localName];
    const answer = await rpc?.(fromJson(method.input as DescMessage, request));
    return toJson(method.output as DescMessage, answer ?? create(method.output)) as JsonObject;
  }

  return {
    /** Name of the parent, which is ignored for projects. */
    async create(parent: string, id: string, resource: JsonObject): Promise<JsonObject> {
      const at: JsonObject = kind === "projects" ? {} : { parent };
      return (await call(`Create${one}`, { ...at, [`${field}Id`]: id, [field]: resource }))[
        field
      ] as JsonObject;
    },
    get: async (name: string) => (await call(`Get${one}`, { name }))[field] as JsonObject,
    async list(parent: string, page: JsonObject = {}) {
      const at: JsonObject = kind === "projects" ? {} : { parent };
      const list = `List${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
      const { [kind]: found = [], nextPageToken = "" } = await call(list, { ...at, ...page });
      return { names: (found as JsonObject[]).map(({ name }) => String(name)), next: String(nextPageToken) };
    },
    update: async (resource: JsonObject, updateMask?: string) =>
      (
        await call(`Update${one}`, { [field]: resource, ...(updateMask === undefined ? {} : { updateMask }) })
      )[field] as JsonObject,
    delete: (name: string, more: JsonObject = {}) => call(`Delete${one}`, { name, ...more }),
  };
}
