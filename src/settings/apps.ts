import { z } from "zod";
import type { Apps } from "../jobs/apps/app.ts";
import { env } from "../rpc/rules/maps.ts";
import { args } from "../rpc/rules/values.ts";

const APP_NAMES = "names of apps have at most 63 lower-case letters, digits and inner dashes";

const appsSchema = z.record(
  z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, APP_NAMES),
  z.strictObject({
    command: z.string().min(1),
    args: z.array(z.string()).pipe(args()).default([]),
    env: z.record(z.string(), z.string()).pipe(env()).optional(),
  }),
);

/** Parses apps by name from JSON. @throws Error whose message completes "SIGNALMAN_APPS …". */
export function parseApps(text: string): Apps {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error(`must be JSON: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  const parsed = appsSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  // The issue of a record's key says only that the key is invalid; the reason is an issue within it.
  const message = issue?.code === "invalid_key" ? issue.issues[0]?.message : issue?.message;
  throw new Error(`is wrong at ${issue?.path.join(".") || "the top level"}: ${message}`);
}
