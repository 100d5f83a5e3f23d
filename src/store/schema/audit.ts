import { sql } from "drizzle-orm";
import { boolean, check, index, integer, interval, jsonb, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { time } from "./columns.ts";

/**
 * One row for each change and each refusal of a caller. Triggers refuse every UPDATE, TRUNCATE, and a DELETE before
 * `keep_until` (the migration creates them by hand). No foreign keys: a record outlives what it names.
 */
export const auditEvents = pgTable(
  "audit_events",
  {
    id: uuid("id").primaryKey(),
    time: time("time").notNull(),
    keepUntil: time("keep_until").notNull(),
    /** Name of the caller (task/caller.ts). */
    caller: text("caller").notNull(),
    /** Address and port of the caller; empty: the service itself. */
    address: text("address").notNull(),
    /** `Service/Method` of the call, or the name of an action of the service. */
    method: text("method").notNull(),
    /** Full name of the resource; empty: everything. */
    resource: text("resource").notNull(),
    /** Project of the resource; empty: it is in none. */
    project: text("project").notNull(),
    /** Template of a task, by the last part of its name; empty: the resource is no task. */
    template: text("template").notNull().default(""),
    /** Names of the fields of the request that were set. */
    fields: jsonb("fields").$type<string[]>().notNull(),
    /** `OK` or the gRPC code of the refusal. */
    outcome: text("outcome").notNull(),
    /** Reason of a refusal (task/reasons.ts); empty: the change was made. */
    reason: text("reason").notNull(),
    /** Number of refusals of the caller with this outcome before this one that were too many to be recorded. */
    omittedCount: integer("omitted_count").notNull().default(0),
    requestId: text("request_id").notNull(),
  },
  (t) => [
    index("audit_events_project").on(t.project, t.id),
    index("audit_events_caller").on(t.caller, t.id),
    index("audit_events_keep_until").using("brin", t.keepUntil),
  ],
);

/** One row: how long new events are kept. The server that was started last has set it (--audit-retention). */
export const auditRetention = pgTable(
  "audit_retention",
  {
    id: boolean("id").primaryKey().default(true),
    keep: interval("keep").notNull(),
  },
  (t) => [check("audit_retention_one_row", sql`${t.id}`)],
);
