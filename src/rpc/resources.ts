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
import { EnvironmentSchema } from "../../gen/signalman/v1/environment_pb.ts";
import { ProjectSchema } from "../../gen/signalman/v1/project_pb.ts";
import { RepositorySchema } from "../../gen/signalman/v1/repository_pb.ts";
import { TemplateSchema } from "../../gen/signalman/v1/template_pb.ts";
import type { Kind, Resource } from "../store/catalog.ts";

/** The message of each kind. All have name, etag, create_time and update_time. */
export const SCHEMAS = {
  projects: ProjectSchema,
  repositories: RepositorySchema,
  environments: EnvironmentSchema,
  templates: TemplateSchema,
} as const satisfies Record<Kind | "projects", DescMessage>;
export type Schemas = typeof SCHEMAS;

const OUTSIDE_SPEC = ["name", "etag", "createTime", "updateTime"];

/** What is stored of a message: its proto3 JSON without name, etag and times. */
export function specOf<K extends keyof Schemas>(kind: K, message: MessageShape<Schemas[K]>): JsonObject {
  const json = toJson(SCHEMAS[kind] as DescMessage, message) as JsonObject;
  return Object.fromEntries(Object.entries(json).filter(([field]) => !OUTSIDE_SPEC.includes(field)));
}

export function messageOf<K extends keyof Schemas>(
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
  const json: JsonValue = { ...resource.spec, ...(toJson(ProjectSchema, output) as JsonObject), name };
  return fromJson(schema, json) as MessageShape<Schemas[K]>;
}

/** Changes with every write, also when a resource is deleted and made again (AIP-154). */
function etagOf({ revision, createTime }: Resource): string {
  return `"${revision}-${createTime.getTime().toString(36)}"`;
}
