import type { JsonObject } from "@bufbuild/protobuf";
import {
  accessKeys,
  environments,
  inventories,
  repositories,
  roleBindings,
  templates,
} from "../schema/resources.ts";

/** The kinds of resources inside a project, in the order in which they refer to each other. */
export const KINDS = [
  "accessKeys",
  "repositories",
  "inventories",
  "environments",
  "templates",
  "roleBindings",
] as const;
export type Kind = (typeof KINDS)[number];
export type AnyKind = Kind | "projects";

export const TABLES = {
  accessKeys,
  repositories,
  inventories,
  environments,
  templates,
  roleBindings,
} as const satisfies Record<Kind, unknown>;

/** Kinds with secrets. */
export const SECRET_TABLES = { accessKeys, environments } as const satisfies Partial<Record<Kind, unknown>>;

/** A stored resource: `spec` is the proto3 JSON of its message without name, etag, times and secrets. */
export interface Resource {
  /** Last part of its name. */
  name: string;
  spec: JsonObject;
  revision: number;
  createTime: Date;
  updateTime: Date;
}

/** A stored resource with its sealed secrets. */
export interface WholeResource extends Resource {
  secrets: Buffer | null;
}

/** Kind and name of a resource of a project, or of the project itself. */
export interface Place {
  kind: AnyKind;
  name: string;
}
