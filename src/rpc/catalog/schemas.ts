import {
  create,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { AccessKeySchema } from "../../../gen/signalman/v1/access_key_pb.ts";
import { EnvironmentSchema } from "../../../gen/signalman/v1/environment_pb.ts";
import { InventorySchema } from "../../../gen/signalman/v1/inventory_pb.ts";
import { ProjectSchema } from "../../../gen/signalman/v1/project_pb.ts";
import { RepositorySchema } from "../../../gen/signalman/v1/repository_pb.ts";
import { RoleBindingSchema } from "../../../gen/signalman/v1/role_binding_pb.ts";
import { TemplateSchema } from "../../../gen/signalman/v1/template_pb.ts";
import { maskUsers } from "../../git/remote-url.ts";
import type { AnyKind, Resource } from "../../store/catalog/kinds.ts";
import { etagOf } from "./etag.ts";

/** Message of each kind. All have name, etag, create_time and update_time. */
export const SCHEMAS = {
  projects: ProjectSchema,
  accessKeys: AccessKeySchema,
  repositories: RepositorySchema,
  inventories: InventorySchema,
  environments: EnvironmentSchema,
  templates: TemplateSchema,
  roleBindings: RoleBindingSchema,
} as const satisfies Record<AnyKind, DescMessage>;
export type Schemas = typeof SCHEMAS;

const OUTSIDE_SPEC = ["name", "etag", "createTime", "updateTime"];

/** Returns the proto3 JSON of a resource in a request, secrets included, without name, etag and times. */
export function jsonOf<K extends AnyKind>(kind: K, message: MessageShape<Schemas[K]>): JsonObject {
  const schema: DescMessage = SCHEMAS[kind];
  // Times in a request are ignored, and may be out of the range of JSON.
  const said = create(schema, { ...message, createTime: undefined, updateTime: undefined });
  const json = toJson(schema, said) as JsonObject;
  return Object.fromEntries(Object.entries(json).filter(([field]) => !OUTSIDE_SPEC.includes(field)));
}

export function messageOf<K extends AnyKind>(
  kind: K,
  name: string,
  resource: Resource,
): MessageShape<Schemas[K]> {
  const schema: DescMessage = SCHEMAS[kind];
  const output = create(ProjectSchema, {
    etag: etagOf(resource),
    createTime: timestampFromDate(resource.createTime),
    updateTime: timestampFromDate(resource.updateTime),
  });
  const json: JsonValue = {
    ...shownSpec(kind, resource.spec),
    ...(toJson(ProjectSchema, output) as JsonObject),
    name,
  };
  return fromJson(schema, json) as MessageShape<Schemas[K]>;
}

/** Returns a spec as callers may see it: users in URLs of repositories, stored by earlier releases, may be tokens and are masked. */
export function shownSpec(kind: AnyKind, spec: JsonObject): JsonObject {
  return kind === "repositories" && typeof spec.url === "string"
    ? { ...spec, url: maskUsers(spec.url) }
    : spec;
}

/** Converts the JSON name of a field to its name in the contract. */
export function contractName(kind: AnyKind, jsonName: string): string {
  return SCHEMAS[kind].fields.find((field) => field.jsonName === jsonName)?.name ?? jsonName;
}
