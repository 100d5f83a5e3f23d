import { z } from "zod";
import { CATALOG_RULES } from "./catalog.ts";
import { STANDARD_RULES } from "./standard.ts";
import { TASK_RULES } from "./task.ts";

/**
 * What the contract demands of each request, by the message's full name. The schemas see a message as `plainOf`
 * (plain.ts) shows it: its fields under their names in the .proto file. What only the database can tell is not here:
 * whether a template exists, what it allows, what its survey asks.
 */
export const RULES: Readonly<Record<string, z.ZodType>> = {
  ...TASK_RULES,
  ...STANDARD_RULES,
  ...CATALOG_RULES,
  "signalman.v1.ListAppsRequest": z.object({}),
};
