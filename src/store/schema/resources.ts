import type { JsonObject } from "@bufbuild/protobuf";
import { type SQL, sql } from "drizzle-orm";
import {
  type AnyPgColumn,
  boolean,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
} from "drizzle-orm/pg-core";
import { accounts } from "./accounts.ts";
import { bytea, count, time } from "./columns.ts";

/**
 * Catalog resources are stored as the proto3 JSON of their messages (without name, etag and times), so that the
 * contract is the one definition of their fields. Columns that SQL itself needs are generated from the JSON.
 */
const resource = () => ({
  spec: jsonb("spec").$type<JsonObject>().notNull(),
  revision: count("revision").notNull().default(1),
  createTime: time("create_time").notNull().defaultNow(),
  updateTime: time("update_time").notNull().defaultNow(),
});

/** The last part of a resource name kept in a spec: `projects/p/repositories/r` → `r`; absent → null. */
const reference = (column: string, place = `spec->>'${column}'`) =>
  text(column).generatedAlwaysAs((): SQL => sql.raw(`split_part(${place}, '/', 4)`));

/** Foreign key from a reference to the resource that it names, so that a resource in use cannot be deleted. */
const refersTo = (
  name: string,
  from: { project: AnyPgColumn; column: AnyPgColumn },
  to: { project: AnyPgColumn; name: AnyPgColumn },
) => foreignKey({ name, columns: [from.project, from.column], foreignColumns: [to.project, to.name] });

/** The secrets of a resource: a JSON object, encrypted. */
const secret = () => ({ secrets: bytea("secrets") });

const inProject = () => ({
  project: text("project")
    .notNull()
    .references(() => projects.name),
  name: text("name").notNull(),
  ...resource(),
});

export const projects = pgTable("projects", {
  name: text("name").primaryKey(),
  maxParallelTasks: integer("max_parallel_tasks")
    .notNull()
    .generatedAlwaysAs((): SQL => sql.raw(`coalesce((spec->>'maxParallelTasks')::integer, 0)`)),
  ...resource(),
});

export const accessKeys = pgTable("access_keys", { ...inProject(), ...secret() }, (t) => [
  primaryKey({ columns: [t.project, t.name] }),
]);

export const repositories = pgTable(
  "repositories",
  { ...inProject(), accessKey: reference("access_key", "spec->>'accessKey'") },
  (t) => [
    primaryKey({ columns: [t.project, t.name] }),
    refersTo("repositories_access_key", { project: t.project, column: t.accessKey }, accessKeys),
  ],
);

export const inventories = pgTable(
  "inventories",
  {
    ...inProject(),
    repository: reference("repository", "spec->'file'->>'repository'"),
    sshKey: reference("ssh_key", "spec->>'sshKey'"),
    becomeKey: reference("become_key", "spec->>'becomeKey'"),
  },
  (t) => [
    primaryKey({ columns: [t.project, t.name] }),
    refersTo("inventories_repository", { project: t.project, column: t.repository }, repositories),
    refersTo("inventories_ssh_key", { project: t.project, column: t.sshKey }, accessKeys),
    refersTo("inventories_become_key", { project: t.project, column: t.becomeKey }, accessKeys),
  ],
);

export const environments = pgTable("environments", { ...inProject(), ...secret() }, (t) => [
  primaryKey({ columns: [t.project, t.name] }),
]);

export const templates = pgTable(
  "templates",
  {
    ...inProject(),
    repository: reference("repository"),
    environment: reference("environment"),
    inventory: reference("inventory"),
    buildTemplate: reference("build_template", "spec->>'buildTemplate'"),
    /**
     * False for templates that were last written before a template could restrict its callers: they allow every variable
     * (store/catalog/kinds.ts). Not a part of the spec, so that a server of the release before can read it.
     */
    restrictsCallers: boolean("restricts_callers").notNull().default(false),
    allowParallelTasks: boolean("allow_parallel_tasks")
      .notNull()
      .generatedAlwaysAs((): SQL => sql.raw(`coalesce((spec->>'allowParallelTasks')::boolean, false)`)),
  },
  (t) => [
    primaryKey({ columns: [t.project, t.name] }),
    refersTo("templates_repository", { project: t.project, column: t.repository }, repositories),
    refersTo("templates_environment", { project: t.project, column: t.environment }, environments),
    refersTo("templates_inventory", { project: t.project, column: t.inventory }, inventories),
    refersTo("templates_build_template", { project: t.project, column: t.buildTemplate }, t),
  ],
);

/**
 * Roles of accounts on a project or on a template. Foreign keys cascade, so that a server of an earlier release, which
 * does not know this table, can delete projects and templates.
 */
export const roleBindings = pgTable(
  "role_bindings",
  {
    project: text("project")
      .notNull()
      .references(() => projects.name, { onDelete: "cascade" }),
    name: text("name").notNull(),
    ...resource(),
    account: text("account")
      .notNull()
      .generatedAlwaysAs((): SQL => sql.raw(`split_part(spec->>'account', '/', 2)`)),
    template: reference("template"),
  },
  (t) => [
    primaryKey({ columns: [t.project, t.name] }),
    foreignKey({
      name: "role_bindings_account",
      columns: [t.account],
      foreignColumns: [accounts.name],
    }).onDelete("cascade"),
    refersTo("role_bindings_template", { project: t.project, column: t.template }, templates).onDelete(
      "cascade",
    ),
    index("role_bindings_of_account").on(t.account),
  ],
);
