import { z } from "zod";
import { ACCOUNT_RULES } from "./accounts.ts";
import { CATALOG_RULES } from "./catalog.ts";
import { NODE_RULES } from "./nodes.ts";
import { STANDARD_RULES } from "./standard.ts";
import { TASK_RULES } from "./task.ts";

/**
 * Schema of each request, by the message's full name. Schemas read the plain object that `plainOf` (to-plain.ts) makes of a
 * message, with fields under their names in the .proto file. They check only the request itself: whether a template exists,
 * what it allows and what its survey asks is checked with the database by the methods.
 */
export const RULES: Readonly<Record<string, z.ZodType>> = {
  ...TASK_RULES,
  ...STANDARD_RULES,
  ...CATALOG_RULES,
  ...ACCOUNT_RULES,
  ...NODE_RULES,
  "signalman.v1.ListAppsRequest": z.object({}),
};
