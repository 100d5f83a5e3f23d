import { z } from "zod";
import type { Apps } from "../jobs/app.ts";
import { env } from "../rpc/rules/maps.ts";
import { args } from "../rpc/rules/values.ts";

const appsSchema = z.record(
  z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
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
  throw new Error(`is wrong at ${issue?.path.join(".") || "the top level"}: ${issue?.message}`);
}
