import { boolean, integer, jsonb, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { time } from "./columns.ts";

/**
 * One row for each server, by the id of its data folder. The server writes it every few seconds; `draining` is written
 * by callers.
 */
export const nodes = pgTable("nodes", {
  id: uuid("id").primaryKey(),
  hostName: text("host_name").notNull(),
  /** URL at which the server answers calls on its own machine. */
  address: text("address").notNull(),
  version: text("version").notNull(),
  roles: jsonb("roles").$type<string[]>().notNull(),
  tags: jsonb("tags").$type<string[]>().notNull(),
  /** Number of tasks that may run at once; 0: the server runs none. */
  slots: integer("slots").notNull(),
  /** Why the server cannot start tasks; empty: it can. */
  problem: text("problem").notNull(),
  draining: boolean("draining").notNull().default(false),
  startTime: time("start_time").notNull(),
  heartbeatTime: time("heartbeat_time").notNull(),
  /** When the server was stopped; null: it runs, or it died. */
  stopTime: time("stop_time"),
});
