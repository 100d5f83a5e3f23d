import type { JsonObject } from "@bufbuild/protobuf";
import { jsonb, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { bytea, count, time } from "./columns.ts";

/** Service accounts. `spec` is the proto3 JSON of a signalman.v1.Account without name, etag and times. */
export const accounts = pgTable("accounts", {
  name: text("name").primaryKey(),
  spec: jsonb("spec").$type<JsonObject>().notNull(),
  revision: count("revision").notNull().default(1),
  createTime: time("create_time").notNull().defaultNow(),
  updateTime: time("update_time").notNull().defaultNow(),
});

/** Bearer tokens of accounts. Only the SHA-256 hash of a token's text is stored. */
export const tokens = pgTable(
  "tokens",
  {
    account: text("account")
      .notNull()
      .references(() => accounts.name, { onDelete: "cascade" }),
    name: text("name").notNull(),
    hash: bytea("hash").notNull().unique(),
    createTime: time("create_time").notNull().defaultNow(),
    expireTime: time("expire_time").notNull(),
    revokeTime: time("revoke_time"),
    lastUseTime: time("last_use_time"),
  },
  (t) => [primaryKey({ columns: [t.account, t.name] })],
);
