import { sql } from "drizzle-orm";
import { bigint, customType, timestamp } from "drizzle-orm/pg-core";

export const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => "bytea" });
export const time = (name: string) => timestamp(name, { withTimezone: true, precision: 6, mode: "date" });
export const count = (name: string) => bigint(name, { mode: "number" });
export const words = (list: readonly string[]) => sql.raw(list.map((word) => `'${word}'`).join(", "));
