import { readFileSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { socketOptions } from "../../src/embedded/socket-url.ts";

/** Runs one statement on a new connection. */
export async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const sql = postgres(url, { ...socketOptions(url), max: 1, fetch_types: false });
  try {
    return [...(await sql.unsafe(statement))];
  } finally {
    await sql.end();
  }
}

/** Returns the URL of the superuser's database in the cluster of a data folder. `url` is the service's. */
export function superuserUrl(url: string, dataDir: string): string {
  const changed = new URL(url);
  changed.username = "postgres";
  changed.password = readFileSync(join(dataDir, "postgres/superuser-password"), "utf8").trim();
  changed.pathname = "/postgres";
  return changed.href;
}
