import type { JsonObject } from "@bufbuild/protobuf";
import { getTableColumns, sql } from "drizzle-orm";
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

/** Fields of a template that was stored before a template could restrict its callers. */
const UNRESTRICTED = { allowOverrideEnv: ["*"], allowExtraVariables: true };

/** Spec of a template as it counts today. */
export const templateSpec = sql<JsonObject>`CASE WHEN ${templates.restrictsCallers} THEN ${templates.spec}
  ELSE ${templates.spec} || ${sql.raw(`'${JSON.stringify(UNRESTRICTED)}'::jsonb`)} END`;

/** Returns the column, or for templates the expression, with the specs of a kind of resources. */
export const specOf = (kind: Kind) => (kind === "templates" ? templateSpec : TABLES[kind].spec);

/** Columns of a kind's table, to be selected. */
export function columnsOf(kind: Kind) {
  return { ...getTableColumns(TABLES[kind]), spec: specOf(kind) };
}

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
export interface ResourceRef {
  kind: AnyKind;
  name: string;
}
